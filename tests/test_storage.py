"""Full disks, and damaged or foreign files among the records."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import records
from bench.errors import UserError
from tests.small_cells import ROOT, command, environment

LIMITED = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); os.execv(sys.argv[1], sys.argv[1:])"


def test_a_full_disk_ends_the_run_with_one_line(tmp_path):
    limited = [sys.executable, "-c", LIMITED, *command(tmp_path, "raw_pixels,simclr", budget="3steps")]
    done = subprocess.run(limited, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write") and done.stderr.count("\n") == 1
    assert "ok  " in done.stdout and len(records.read_all(tmp_path / "results")[0]) == 1
    left = [p.name for p in tmp_path.rglob(".*") if p.is_file()]
    assert all(name.startswith(".campaign-") for name in left)  # which says what still waits


def some(folder: Path, method: str = "simclr") -> Path:
    path = folder / f"digits/test_resnet/1ep/{method}/seed0.json"
    metrics = {"linear_top1": 0.5, "linear_top5": 0.5, "knn_top1": 0.5, "knn200_top1": 0.5}
    records.write(records.Record("digits", "test_resnet", "1ep", method, 0, "ok", metrics=metrics), path)
    return path


@pytest.mark.parametrize("content", ["", "{", "[]", '{"track": 1}', "[" * 100_000, '{"schema_version": 1, "track": "digits"}'])
def test_a_damaged_record_is_named_and_left(tmp_path, bench_command, content):
    bad, _ = some(tmp_path), some(tmp_path, "moco")
    bad.write_text(content)
    for arguments in (["report"], ["list", "results"]):
        code, out, err = bench_command(*arguments, "--out", str(tmp_path))
        assert code == 0 and err.count(str(bad)) == 1, err
    assert "digits/test_resnet/1ep/moco/seed0" in out
    chosen = ("--datasets", "digits", "--methods", "simclr", "--budget", "1ep", "--seeds", "1")
    code, _, err = bench_command("run", *chosen, "--out", str(tmp_path))
    assert code == 2 and err.startswith(f"error: {bad}") and err.count("\n") == 1
    assert bad.read_text() == content


def test_a_newer_schema_is_refused_with_advice_and_an_older_one_read(tmp_path):
    path = some(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"schema_version": 2}))
    with pytest.raises(UserError, match="update the harness"):
        records.read(path)
    older = {key: content[key] for key in ("track", "backbone", "budget", "method", "seed", "status", "metrics")}
    path.write_text(json.dumps(older | {"schema_version": 1, "forgotten": True}))
    assert records.read(path).metrics == content["metrics"]


def test_a_record_at_the_place_of_another_is_named(tmp_path):
    path = some(tmp_path)
    path.rename(path.with_name("seed1.json"))
    found, problems = records.read_all(tmp_path)
    assert found == [] and "seed1.json is the record of simclr, seed 0" in problems[0]


def test_a_thousand_foreign_and_broken_files_hide_no_record(tmp_path, bench_command):
    some(tmp_path)
    contents = ("", "{", "null", '{"track": 1}', "\0\0", "\N{SNOWMAN}")
    broken = [tmp_path / f"track{i % 7}/b/1ep/m{i % 50}/seed{i}.json" for i in range(500)]  # where records lie
    foreign = [tmp_path / f"notes{i % 9}/{name}{i}" for i in range(250) for name in ("x.json", ".hidden")]
    for i, path in enumerate([*broken, *foreign]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents[i % len(contents)])
    for arguments in (["report"], ["report", "--check"], ["list", "results"]):
        code, out, err = bench_command(*arguments, "--out", str(tmp_path))
        assert code == 0 and "Traceback" not in err
        assert [sum(str(path) in line for line in err.splitlines()) for path in broken[:3]] == [1, 1, 1]
        assert err.count("warning: ") == err.count("\n") == len(broken)
    assert "digits/test_resnet/1ep/simclr/seed0" in out
    assert all(path.read_text() == contents[i % len(contents)] for i, path in enumerate([*broken, *foreign]))
