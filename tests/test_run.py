"""The command line, end to end, on a cut of the embedded track that trains in a second."""

import json
import shutil
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from bench.backbone import load_encoder
from bench.methods import registry
from tests.small_cells import ROOT

SMALL = ("--datasets", "digits:fraction=0.2,classes=5", "--budget", "3ep", "--batch-size", "32", "--device", "cpu")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of everything, in a folder with a space in its name, and what it printed."""
    folder = tmp_path_factory.mktemp("a b")
    section = "<!-- leaderboard results/digits:classes=5,fraction=0.2 -->\n<!-- end leaderboard -->"
    (folder / "README.md").write_text(f"x\n{section}\ny\n")
    methods = "simclr,moco,ifnd*,random_init,raw_pixels,supervised"
    command = [sys.executable, "-m", "bench", "run", *SMALL, "--seeds", "1", "--methods", methods]
    done = subprocess.run([*command, "--out", str(folder / "results")], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def copy(finished, tmp_path):
    """That folder, to be changed at will."""
    shutil.copytree(finished[0], tmp_path / "copy")
    return tmp_path / "copy"


def records(folder):
    found = [json.loads(path.read_text()) for path in (folder / "results").glob("*/*/*/*/seed0.json")]
    return {record["method"]: record for record in found}


def test_every_cell_has_a_whole_record(finished):
    found = records(finished[0])
    assert set(found) == {"simclr", "moco", "ifnd_elim", "ifnd_attract", "random_init", "raw_pixels", "supervised"}
    for name, record in found.items():
        assert record["status"] == "ok"
        assert all(0 < record["metrics"][metric] <= 1 for metric in ("linear_top1", "linear_top5", "knn_top1", "knn200_top1"))
        assert record["schema_version"] == 1 and record["protocol"] == "v3" and record["recipe_hash"]
        assert record["data"]["train"] == 145 == record["evaluation"]["knn200_k"]
        if registry()[name].trains:
            assert record["cost"]["images"] == 3 * 4 * 32
            assert record["curve"][-1]["progress"] == 1
            assert 0 < record["curve"][-1]["held_out_knn_top1"] <= 1


def test_it_ends_with_the_table(finished):
    assert "| rank" in finished[1]
    assert finished[1].index("| simclr") < finished[1].index("not ranked") < finished[1].index("| raw_pixels")


def test_the_readme_beside_the_results_is_filled(finished):
    text = (finished[0] / "README.md").read_text()
    assert text.startswith("x\n") and text.endswith("y\n") and "| simclr" in text


def test_a_second_run_skips_everything_and_is_quick(copy, bench_command):
    before = {path: path.read_bytes() for path in (copy / "results").rglob("seed*.json")}
    begun = time.process_time()
    code, out, _ = bench_command("run", *SMALL, "--seeds", "1", "--methods", "simclr,moco", "--out", str(copy / "results"))
    assert code == 0 and "0 to run" in out and "| simclr" in out
    assert time.process_time() - begun < 10
    assert before == {path: path.read_bytes() for path in (copy / "results").rglob("seed*.json")}


def test_report_check(copy, bench_command):
    out = ("--out", str(copy / "results"))
    assert bench_command("report", "--check", *out)[0] == 0
    (copy / "README.md").write_text((copy / "README.md").read_text().replace("| simclr", "| simclR"))
    code, said, _ = bench_command("report", "--check", *out)
    assert code == 1 and "README.md" in said
    assert bench_command("report", *out)[0] == 0
    assert bench_command("report", "--check", *out)[0] == 0


def test_a_failed_cell_is_a_row_and_exit_code_1(copy, bench_command):
    path = next((copy / "results").rglob("moco%*/seed0.json"))
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"status": "failed", "metrics": {}, "error": {"exception": "x", "traceback": "y"}}))
    arguments = ("run", *SMALL, "--seeds", "1", "--methods", "moco", "--out", str(copy / "results"))
    code, out, _ = bench_command(*arguments)
    assert code == 1 and "1 failed" in out
    code, out, _ = bench_command(*arguments, "--on-existing", "failed")
    assert code == 0 and "1 failed" not in out
    fresh = json.loads(path.read_text())
    assert fresh["metrics"] == record["metrics"]  # the same seed gives the same numbers, bit for bit


def test_a_cell_that_raises_does_not_end_the_run(tmp_path, bench_command):
    methods = ("--methods", "simclr,random_init", "--set", "lr=1e30")
    code, _, _ = bench_command("run", *SMALL, *methods, "--seeds", "1", "--out", str(tmp_path / "results"))
    found = records(tmp_path)
    assert code == 1
    assert found["simclr"]["status"] == "diverged" and "loss became" in found["simclr"]["error"]["exception"]
    assert found["random_init"]["status"] == "ok"


def test_seed_major_order(tmp_path, bench_command):
    chosen = ("--budget", "1steps", "--methods", "random_init,raw_pixels", "--seeds", "2")
    code, out, _ = bench_command("run", *SMALL, *chosen, "--out", str(tmp_path / "results"))
    lines = [line for line in out.splitlines() if line.startswith("[")]
    assert code == 0
    assert [line.split(" / ")[-2:] for line in lines] == [[m, f"seed {s}"] for s in (0, 1) for m in ("random_init", "raw_pixels")]


def test_every_folder_of_results_has_a_folder_of_encoders_of_its_own(tmp_path, bench_command):
    chosen = ("--budget", "1steps", "--methods", "random_init", "--seeds", "1")
    for name in ("results", "other", "results/../third"):
        assert bench_command("run", *SMALL, *chosen, "--out", str(tmp_path / name))[0] == 0
    folders = sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("seed0.safetensors"))
    assert folders == ["other-runs", "runs", "third-runs"]


def test_two_tracks_in_one_run_have_a_leaderboard_each(tmp_path, bench_command):
    """Of different sizes, as each track has its own; the specs' own commas do not part them."""
    datasets = "digits:fraction=0.1,classes=3,px=12,shapes:classes=2,fraction=0.1"
    out = str(tmp_path / "results")
    code, said, _ = bench_command(
        "run", "--datasets", datasets, "--methods", "random_init,raw_pixels", "--seeds", "1", "--out", out
    )
    assert code == 0, said
    text = (tmp_path / "results" / "leaderboard.md").read_text()
    for board in ("digits:classes=3,fraction=0.1,px=12, test_resnet, 200ep", "shapes:classes=2,fraction=0.1, test_resnet, 200ep"):
        assert board in text


def test_a_dry_run_writes_nothing(tmp_path, bench_command):
    code, out, _ = bench_command("run", *SMALL, "--methods", "simclr", "--dry-run", "--out", str(tmp_path / "results"))
    assert code == 0 and "3 cells" in out
    assert list(tmp_path.iterdir()) == []


def test_settings_reach_every_method_that_has_them_or_one(tmp_path, bench_command):
    values = ("temperature=0.3", "moco.momentum=0.5", "ifnd_elim.clusters=3,9", "ifnd_elim.temperature=0.7")
    sets = [part for value in values for part in ("--set", value)]
    chosen = ("--methods", "simclr,moco,ifnd_elim", "--budget", "1steps", "--seeds", "1")
    assert bench_command("run", *SMALL, *chosen, *sets, "--out", str(tmp_path / "results"))[0] == 0
    config = {name: record["recipe"]["config"] for name, record in records(tmp_path).items()}
    assert [config[name]["temperature"] for name in ("simclr", "moco", "ifnd_elim")] == [0.3, 0.3, 0.7]
    assert config["moco"]["momentum"] == 0.5 and config["ifnd_elim"]["momentum"] == 0.99
    assert config["ifnd_elim"]["clusters"] == [3, 9]


def test_auto_takes_the_embedded_track_and_says_why(tmp_path, bench_command):
    code, out, _ = bench_command("run", "--dry-run", "--data-dir", str(tmp_path), "--out", str(tmp_path / "results"))
    assert code == 0
    assert "datasets: shapes:classes=20 (embedded" in out and "data get cifar100" in out


def test_an_exported_encoder_loads_strictly_and_computes_the_same(finished):
    path = next((finished[0] / "runs").rglob("simclr%*/seed0.safetensors"))
    encoder = load_encoder(path)
    assert set(encoder.state_dict()) == {key.removeprefix("small_stem.") for key in load_file(path)}
    assert encoder(torch.randn(2, 1, 8, 8)).shape == (2, encoder.num_features)


BAD = [
    (("--methods", "simcrl"), "did you mean simclr"),
    (("--datasets", "digit"), "did you mean digits"),
    (("--datasets", "digits:classes=11"), "at most 10"),
    (("--datasets", "digits:fraction=2"), "at most 1"),
    (("--datasets", "digits:fraction"), "a spec is"),
    (("--datasets", "cifar100"), "data get cifar100"),
    (("--backbone", "resnet19"), "did you mean"),
    (("--budget", "200"), "what works"),
    (("--seeds", "0"), "seeds"),
    (("--batch-size", "2000"), "1437 train images"),
    (("--batch-size", "1"), "at least 2"),
    (("--set", "temprature=0.1"), "did you mean temperature"),
    (("--set", "temperature=hot"), "takes a number above 0"),
    (("--set", "temperature=0"), "above 0"),
    (("--set", "temperature"), "key=value"),
    (("--set", "base=byol", "--methods", "ifnd_elim"), "moco or simclr"),
    (("--set", "nobody.lr=1"), "not among the chosen"),
    (("--set", "moco.queue_size=5000"), "exceeds the 1437"),
    (("--on-existing", "maybe"), "maybe"),
    (("--device", "tpu"), "tpu"),
    (("--nonsense",), "nonsense"),
    (("--out", "/proc/nothing/here"), "cannot write"),
]


@pytest.mark.parametrize(("arguments", "hint"), BAD)
def test_bad_input_is_one_line_and_changes_nothing(arguments, hint, tmp_path, bench_command):
    base = ("run", "--datasets", "digits", "--out", str(tmp_path / "results"), "--data-dir", str(tmp_path / "data"))
    code, _, err = bench_command(*base, *arguments)
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1 and hint in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device(tmp_path, bench_command):
    code, _, err = bench_command("run", "--datasets", "digits", "--device", "cuda", "--out", str(tmp_path / "results"))
    assert code == 2 and "--device cpu" in err


def test_lists(finished, bench_command):
    code, out, _ = bench_command("list", "methods", "ifnd*")
    assert code == 0 and out.count("\n") == 2 and "Chen et al. 2022" in out
    assert "digits" in bench_command("list", "datasets")[1]
    assert "/simclr:batch_size=32/seed0" in bench_command("list", "results", "--out", str(finished[0] / "results"))[1]
    assert bench_command("list", "methods", "zzz")[0] == 2


def test_check_command(bench_command):
    assert bench_command("check", "simclr")[0] == 0
    assert bench_command("check", "simclrr")[0] == 2


def test_help_reads_well(bench_command):
    code, out, _ = bench_command("--help")
    assert code == 0 and all(word in out for word in ("run", "list", "data", "report", "check"))
