"""Files beside the records that are none of the harness's: named where they ask for tables, and always left alone."""

import contextlib
import os
from pathlib import Path

import pytest

from bench import experiment
from bench.datasets.found import of_folder
from bench.reporting import report
from tests import made_up

MARKED = "before\n<!-- leaderboard results/made_up_track -->\nold\n<!-- end leaderboard -->\nafter\n"
APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\x00\x00\x00\t\x00\x00\x002\x00\x00\x00\xb0"

FOREIGN = {
    "a resource fork": lambda folder: (folder / "._README.md").write_bytes(APPLE),
    "a resource fork with markers": lambda folder: (folder / "._NOTES.md").write_bytes(APPLE + MARKED.encode()),
    "a note in Latin-1": lambda folder: (folder / "notes.md").write_bytes("café\n".encode("latin-1")),
    "a note in UTF-16": lambda folder: (folder / "notes.md").write_text(MARKED, encoding="utf-16"),
    "an editor's lock": lambda folder: (folder / ".#README.md").symlink_to("me@host.1:2"),
    "a dangling link": lambda folder: (folder / "gone.md").symlink_to("nowhere.md"),
    "a link to itself": lambda folder: (folder / "loop.md").symlink_to("loop.md"),
    "a folder": lambda folder: (folder / "notes.md").mkdir(),
    "a pipe": lambda folder: os.mkfifo(folder / "pipe.md"),
    "an empty file": lambda folder: (folder / "empty.md").touch(),
    "bytes": lambda folder: (folder / "bytes.md").write_bytes(bytes(range(256)) * 64),
    "a name that is no UTF-8": lambda folder: Path(os.fsdecode(bytes(folder) + b"/caf\xe9.md")).write_text("note"),
    "a backup": lambda folder: (folder / "README.md~").write_text(MARKED),
}
INSIDE = {
    "a folder as a record": lambda out: (out / "made_up_track/resnet18/10ep/alpha/seed77.json").mkdir(),
    "a pipe as a record": lambda out: os.mkfifo(out / "made_up_track/resnet18/10ep/alpha/seed77.json"),
    "a dangling link as a record": lambda out: (out / "made_up_track/resnet18/10ep/alpha/seed77.json").symlink_to("nowhere"),
    "a copy beside a record": lambda out: (out / "made_up_track/resnet18/10ep/alpha/seed0 (copy).json").write_bytes(
        (out / "made_up_track/resnet18/10ep/alpha/seed0.json").read_bytes()
    ),
    "a record in Latin-1": lambda out: (out / "made_up_track/resnet18/10ep/alpha/seed77.json").write_bytes(
        b'{"track": "caf\xe9"}'
    ),
}


@pytest.fixture
def out(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    folder = tmp_path / "results"
    made_up.write(folder, made_up.few(seeds=1))
    return folder


def state(path: Path) -> object:
    return path.is_symlink() or path.is_dir() or path.is_fifo() or path.read_bytes()


def test_what_stands_beside_is_left_alone(out):
    for i, make in enumerate(FOREIGN.values()):
        for place in (out.parent, out.parent / "docs"):
            (place / "docs").mkdir(parents=True, exist_ok=True)
            made = set(place.iterdir())
            make(place)
            (new,) = set(place.iterdir()) - made
            new.rename(new.with_name(f"{new.stem}{i}{new.suffix}"))
    before = {path: state(path) for path in [*out.parent.iterdir(), *(out.parent / "docs").iterdir()] if path != out}
    files, problems = report.render(out)
    report.write(files)
    assert problems == [] and (out / "leaderboard.md").is_file()
    assert {path: state(path) for path in before} == before


def test_what_is_no_record_is_named_and_left_out(out, bench_command):
    for i, make in enumerate(INSIDE.values()):
        make(out)
        with contextlib.suppress(OSError):
            (out / "made_up_track/resnet18/10ep/alpha/seed77.json").rename(
                out / f"made_up_track/resnet18/10ep/alpha/seed7{i}.json"
            )
    for command in (["report"], ["list", "results"]):
        code, _, err = bench_command(*command, "--out", str(out))
        assert code == 0 and "Traceback" not in err
        assert err.count("warning:") == len(INSIDE) and err.count("seed") >= len(INSIDE)


def test_a_pipe_is_never_waited_for(out, monkeypatch):
    os.mkfifo(out / "published.csv")
    (out.parent / "experiments").mkdir()
    os.mkfifo(out.parent / "experiments/mine.toml")
    _, problems = report.render(out)
    assert problems == [f"{out / 'published.csv'} is no file; published numbers are left out"]
    monkeypatch.chdir(out.parent)
    assert "mine" not in experiment.known()


def test_a_file_that_asks_for_tables_and_cannot_be_read_is_named(out):
    readme = out.parent / "README.md"
    readme.write_bytes(MARKED.encode() + "café".encode("latin-1"))
    files, problems = report.render(out)
    assert readme not in files and len(problems) == 1 and "README.md has markers for tables and is no UTF-8 text" in problems[0]


def test_a_damaged_file_of_speeds_leaves_the_table_as_it_is(out):
    readme = out.parent / "README.md"
    readme.write_text("<!-- throughput results/cpu.json -->\n\nold\n\n<!-- end throughput -->\n" + MARKED)
    for content in ("{", "[1]", '{"rows": [3], "machine": 1}', '{"rows": {}}'):
        (out / "cpu.json").write_text(content)
        files, problems = report.render(out)
        assert "old" in files[readme].content and "alpha" in files[readme].content
        assert len(problems) == 1 and "the table stays as it is" in problems[0]


def test_the_line_ends_of_a_file_that_is_current_stay(out):
    readme = out.parent / "README.md"
    readme.write_text(MARKED)
    report.write(report.render(out)[0])
    content = readme.read_bytes().replace(b"\n", b"\r\n")
    readme.write_bytes(content)
    report.write(report.render(out)[0])
    assert readme.read_bytes() == content


@pytest.mark.parametrize("name", ["index.html", "leaderboard.md", "figures"])
def test_what_stands_in_the_way_of_a_table_is_one_line(out, name, bench_command):
    if name == "figures":
        (out / name).write_text("no folder")
    else:
        (out / name).mkdir()
    code, _, err = bench_command("report", "--out", str(out))
    assert code == 2 and err.startswith("error: cannot write ") and err.count("\n") == 1


def test_they_are_neither_methods_nor_tracks_nor_evaluators_nor_experiments(tmp_path):
    (tmp_path / "experiments").mkdir()
    for name in ("._x.py", "experiments/._x.toml"):
        (tmp_path / name).write_bytes(APPLE)
    for name in (".#x.py", "experiments/.#x.toml"):
        (tmp_path / name).symlink_to("me@host.1:2")
    assert list(of_folder(tmp_path, lambda path, outline: [str(path)])) == []
    assert experiment.known(tmp_path) == experiment.known()
