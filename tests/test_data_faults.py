"""Datasets that are cut off, altered, mislabelled or hostile: the file is named, and nothing in it is executed."""

import gzip
import hashlib
import io
import json
import pickle
import socketserver
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.datasets import cifar, files, store, verify, writer
from bench.datasets.base import DataError, File, Raw
from bench.datasets.prepare import get
from bench.datasets.registry import find
from tests.commands import exit_code
from tests.edited import changed


def raw(labels=(0, 1, 2, 3)) -> Raw:
    labels = np.array(labels, np.int64)
    images = np.arange(len(labels) * 3 * 32 * 32).reshape(-1, 3, 32, 32).astype(np.uint8)
    return Raw((3, 32, 32), labels, [images])


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder of prepared datasets with a tiny `cifar10` in it."""
    writer.write(tmp_path / "cifar10", {"train": raw(), "test": raw((0, 1))}, 10)
    return tmp_path


def data_check(capsys, root: Path, *names: str) -> tuple[int, str]:
    code, captured = exit_code("data", "check", *names, "--data-dir", root), capsys.readouterr()
    return code, captured.out + captured.err


def test_a_sound_dataset_passes(prepared, capsys):
    code, said = data_check(capsys, prepared)
    assert code == 0
    assert "ok   cifar10" in said and "cifar100" not in said


def test_everything_wrong_is_listed_at_once(prepared, capsys):
    folder = prepared / "cifar10"
    (folder / "test_images.npy").unlink()
    labels = np.load(folder / "train_labels.npy")
    np.save(folder / "train_labels.npy", np.where(labels == 2, 99, labels))
    with (folder / "train_images.npy").open("r+b") as stream:
        stream.truncate(500)
    code, said = data_check(capsys, prepared, "cifar10")
    assert code == 1
    assert "test_images.npy is missing" in said
    assert "train_labels.npy has labels outside 0..9: image 2 has 99" in said
    assert "train_labels.npy was altered" in said
    assert "train_images.npy is damaged" in said


def test_an_altered_image_is_found_by_its_checksum(prepared, capsys):
    path = prepared / "cifar10" / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, said = data_check(capsys, prepared, "cifar10")
    assert code == 1 and f"{path} was altered" in said


def test_without_digests_the_fingerprint_still_tells(prepared, capsys):
    meta = json.loads((prepared / "cifar10" / "meta.json").read_text())
    for split in meta["splits"].values():
        del split["digests"]
    (prepared / "cifar10" / "meta.json").write_text(json.dumps(meta))
    assert data_check(capsys, prepared, "cifar10")[0] == 0
    (prepared / "cifar10" / "meta.json").write_text(json.dumps(meta | {"fingerprint": "0"}))
    code, said = data_check(capsys, prepared, "cifar10")
    assert code == 1 and "fingerprint" in said


@pytest.mark.parametrize("meta", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "splits": []}', '{"format": 9}', "[" * 100_000])
def test_a_damaged_description_is_one_line(prepared, meta, capsys):
    (prepared / "cifar10" / "meta.json").write_text(meta)
    with pytest.raises(DataError, match="prepare the dataset again"):
        store.load(prepared / "cifar10")
    code, said = data_check(capsys, prepared, "cifar10")
    assert code == 1 and "prepare the dataset again" in said


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("classes",), 10**29),
        (("fingerprint",), "\ud800"),
        (("hashed_by",), "1"),
        (("left_out",), []),
        (("splits", "test", "digests"), 3),
        (("splits", "test", "images"), True),
    ],
)
def test_an_edited_description_is_one_line(prepared, place, value, capsys):
    meta = json.loads((prepared / "cifar10" / "meta.json").read_text())
    test_a_damaged_description_is_one_line(prepared, json.dumps(changed(meta, place, value)), capsys)


def test_bad_labels_are_refused_when_a_dataset_is_opened(prepared):
    path = prepared / "cifar10" / "train_labels.npy"
    np.save(path, np.array([0, 1, 2, 10]))
    with pytest.raises(DataError, match=r"train_labels\.npy.*outside 0"):
        store.load(prepared / "cifar10")


def test_an_object_array_is_not_unpickled(prepared):
    path = prepared / "cifar10" / "train_labels.npy"
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    meta = json.loads((prepared / "cifar10" / "meta.json").read_text())
    meta["splits"]["train"]["bytes"] = sum(f.stat().st_size for f in path.parent.glob("train_*.npy"))
    (prepared / "cifar10" / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match=r"train_labels\.npy"):
        store.load(prepared / "cifar10")
    assert verify.problems(find("cifar10"), prepared / "cifar10")


def test_labels_out_of_range_leave_nothing_behind(tmp_path):
    with pytest.raises(DataError, match=r"train image 1 has label 7, outside 0\.\.2"):
        writer.write(tmp_path / "x", {"train": raw((0, 7)), "test": raw((0,))}, 3)
    assert list(tmp_path.iterdir()) == []


class Bomb:
    """Creates a file where it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("bomb", [Bomb(), {b"data": Bomb()}, {b"data": np.zeros(3072, np.uint8), b"labels": [Bomb()]}])
def test_a_malicious_batch_is_not_executed(tmp_path, monkeypatch, bomb):
    monkeypatch.chdir(tmp_path)
    Path("batch").write_bytes(pickle.dumps(bomb))
    with pytest.raises(DataError, match=r"batch is damaged: it asks for pathlib"):
        cifar.read_batch(Path("batch"), b"labels")
    assert not Path("exploded").exists()


def test_a_batch_that_names_builtins_is_refused(tmp_path):
    (tmp_path / "batch").write_bytes(b"cbuiltins\neval\n(S'1'\ntR.")
    with pytest.raises(DataError, match=r"builtins\.eval"):
        cifar.read_batch(tmp_path / "batch", b"labels")


def archive(path: Path, *members: tuple[str, bytes | str]) -> Path:
    """A tar whose members are files (bytes) or symbolic links (str)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def test_a_malicious_archive_gives_only_what_was_asked_for(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    evil = [("../evil", b"x"), ("/tmp/bench-evil", b"x"), ("d/../../evil", b"x"), ("link", str(tmp_path)), ("link/evil", b"x")]
    path = archive(tmp_path / "a.tar.gz", *evil, ("d/wanted", b"good"))
    target = tmp_path / "target"
    files.unpack(path, ["d/wanted"], target)
    assert [p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()] == ["d/wanted"]
    assert not (tmp_path / "evil").exists() and not Path("/tmp/bench-evil").exists()


def test_a_link_in_an_archive_leads_nowhere_outside(tmp_path):
    (tmp_path / "secret").write_text("secret")
    path = archive(tmp_path / "a.tar.gz", ("d/wanted", str(tmp_path / "secret")))
    with pytest.raises(DataError, match="cannot unpack"):
        files.unpack(path, ["d/wanted"], tmp_path / "target")
    assert not list((tmp_path / "target").rglob("wanted"))


def cifar_like(folder: Path) -> Path:
    archive(folder / "cifar-10-python.tar.gz", ("cifar-10-batches-py/test_batch", bytes(2000)))
    return folder / "cifar-10-python.tar.gz"


def test_an_archive_of_another_content_is_named(tmp_path, capsys):
    path = cifar_like(tmp_path)
    code = exit_code("data", "get", "cifar10", "--from", tmp_path, "--data-dir", tmp_path / "data")
    said = capsys.readouterr().err
    assert code == 2 and said.count("\n") == 1
    assert str(path) in said and "checksum" in said
    assert not (tmp_path / "data").exists()


def test_an_archive_that_was_cut_off_is_named(tmp_path):
    path = cifar_like(tmp_path)
    genuine = replace(find("cifar10"), files=(File(path.name, "", files.digest_of(path, 32)),))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"{path.name} is damaged"):
        get(genuine, tmp_path / "data", tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_packed_file_that_was_cut_off_is_named(tmp_path):
    name = find("fashion_mnist").files[0].name
    (tmp_path / name).write_bytes(gzip.compress(bytes(1000))[:-10])
    with pytest.raises(DataError, match=name):
        get(find("fashion_mnist"), tmp_path / "data", tmp_path)


def test_a_packed_file_with_a_flipped_bit_is_named(tmp_path):
    name = find("fashion_mnist").files[0].name
    content = bytearray(gzip.compress(np.random.default_rng(0).bytes(1000)))
    content[12] ^= 0xFF
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        get(find("fashion_mnist"), tmp_path / "data", tmp_path)


@pytest.mark.parametrize(("name", "array"), [("labels", np.int64(5)), ("images", np.uint8(5)), ("labels", np.array(["a", "bb"]))])
def test_an_array_of_another_kind_is_damaged(prepared, name, array, capsys):
    path = prepared / "cifar10" / f"test_{name}.npy"
    np.save(path, array)
    meta = json.loads((path.parent / "meta.json").read_text())
    meta["splits"]["test"]["bytes"] = sum(f.stat().st_size for f in path.parent.glob("test_*.npy"))
    (path.parent / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(DataError, match="damaged"):
        store.load(path.parent)
    code, said = data_check(capsys, prepared)
    assert code == 1 and f"bad  cifar10: {path} " in said


@pytest.fixture
def server():
    """A web server on this machine, and the answers that it gives, one after the other: bytes as they go through the wire."""
    answers: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answers.pop(0))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_address[1]}/x", answers
        made.shutdown()


CONTENT = bytes(range(256)) * 40
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)


@pytest.mark.parametrize("packed", [False, True])
def test_a_download_that_broke_off_is_fetched_again(tmp_path, server, packed):
    url, answers = server
    name, sent = ("x.gz", gzip.compress(CONTENT)) if packed else ("x.bin", CONTENT)
    wanted = File(name, url, hashlib.sha256(CONTENT).hexdigest())
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ncut off"
    answers[:] = [
        OK + sent[:10],
        b"garbage\r\n\r\n",
        chunked,
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        OK.replace(b"10240", b"%d" % len(sent)) + sent,
    ]
    for _ in answers[:-1]:
        with pytest.raises(DataError, match=r"127\.0\.0\.1"):
            files.download([wanted], tmp_path)
        assert list(tmp_path.iterdir()) == []
    files.download([wanted], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == sent
    (tmp_path / name).write_bytes(b"another file")
    with pytest.raises(DataError, match="is damaged or another file; delete it"):
        files.download([wanted], tmp_path)
