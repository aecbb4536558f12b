"""`run --slurm`: what is submitted, what is refused, and a task that is asked to save. A real SLURM is in tests/cluster."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import submitit

from bench.errors import UserError
from bench.running import slurm
from tests.small_cells import ROOT, environment, wait_for

RUN = ("run", "--methods", "random_init", "--datasets", "digits", "--seeds", "2", "--set", "batch_size=32", "--log=")
GIVEN = ["--methods=random_init", "--datasets=digits", "--seeds=2", "--set=batch_size=32", "--log="]


@pytest.fixture
def sbatch(tmp_path, monkeypatch):
    """A made-up cluster that takes everything but the partition `nope`."""
    bin_ = tmp_path / "bin"
    refusal = "sbatch: error: invalid partition specified: nope"
    answer = f'grep -q =nope "$1" && {{ echo "{refusal}" >&2; exit 1; }}; echo Submitted batch job 7'
    for name, text in (("sbatch", answer), ("srun", "")):
        path = bin_ / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(bin_), prepend=os.pathsep)


def places(tmp_path):
    return ("--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"))


def test_the_script_asks_for_what_was_given(tmp_path, sbatch, bench_command):
    wanted = "partition=gpu,time=8h,array=16,gpus=1,cpus=8,mem=32GB"
    code, out, error = bench_command(*RUN, *places(tmp_path), "--slurm", wanted, "--slurm-dry-run")
    assert code == 0, error
    assert not (tmp_path / "out").exists() and not (tmp_path / "runs").exists()
    lines = [line.removeprefix("#SBATCH --") for line in out.splitlines() if line.startswith("#SBATCH")]
    assert {"partition=gpu", "time=480", "array=0-15%16", "gpus-per-node=1", "cpus-per-task=8", "mem=32GB"} <= set(lines)
    assert {"requeue", "signal=USR2@120", "job-name=ssl-bench"} <= set(lines)


def test_each_task_gets_the_same_run(tmp_path, sbatch, bench_command):
    where = places(tmp_path)
    code, out, _ = bench_command(*RUN, *where, "--slurm", "time=8h,array=3,gpus=2")
    assert code == 0 and "submitted job 7 of 3 tasks" in out
    pickles = sorted(tmp_path.glob("runs/slurm/*/7_*_submitted.pkl"))
    assert [path.name for path in pickles] == [f"7_{number}_submitted.pkl" for number in range(3)]
    made = submitit.core.utils.DelayedSubmission.load(pickles[0]).function.command
    assert made[:4] == [sys.executable, "-m", "bench", "run"] and made[-3:-1] == ["--gpus", "all"]
    assert made[-1].startswith("--begun=")
    assert sorted(made[4:-3]) == sorted([*GIVEN, f"--out={where[1]}", f"--runs={where[3]}"])
    code, out, _ = bench_command("status", "--out", where[1])
    assert code == 0 and "0 running, 2 waiting" in out


def test_a_task_with_a_gpu_computes_on_it():
    assert slurm.parse("time=8h,gpus=1", ["--seeds=1"]).command[-2:] == ["--seeds=1", "--device=cuda"]
    assert slurm.parse("time=8h,gpus=1", ["--device=cuda:0"]).command[-1] == "--device=cuda:0"
    assert slurm.parse("time=8h", ["--seeds=1"]).command[-1] == "--seeds=1"
    assert slurm.parse("time=8h,gpus=2", ["--device=cuda"]).command[-2:] == ["--gpus", "all"]
    with pytest.raises(UserError, match="a task with several GPUs uses all of them; leave --device out"):
        slurm.parse("time=8h,gpus=2", ["--device=cpu"])


def test_sbatch_is_quoted_and_nothing_is_left(tmp_path, sbatch, bench_command):
    code, _, error = bench_command(*RUN, *places(tmp_path), "--slurm", "partition=nope,time=8h")
    assert code == 2 and error == "error: sbatch: error: invalid partition specified: nope\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.mark.parametrize(
    "text, why",
    [
        ("time=8h,nodes=2", "'nodes=2' is not understood; there are partition=, account="),
        ("time=8h,partition", "'partition' is not understood"),
        ("time=8h,array=0", "array must be a whole number, 1 at least"),
        ("time=8h,gpus=-1", "gpus must be a whole number, 0 at least"),
        ("time=8h,time=9h", "gives time twice"),
        ("partition=gpu", "needs the time of a task"),
        ("time=200ep", "must be a duration"),
        ("time=2min", "5min at least"),
    ],
)
def test_what_cannot_be_read_is_refused(text, why):
    with pytest.raises(UserError, match=why):
        slurm.parse(text, [])


def test_what_is_missing_is_named(tmp_path, monkeypatch, bench_command):
    wanted = ("--slurm", "time=8h")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no sbatch" in bench_command(*RUN, *places(tmp_path), *wanted)[2]
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert "pip install 'ssl-bench[slurm]'" in bench_command(*RUN, *places(tmp_path), *wanted)[2]
    assert "--workers and --gpus are for this machine" in bench_command(*RUN, *places(tmp_path), *wanted, "--workers", "2")[2]
    assert "--device 'gpu' is unknown" in bench_command(*RUN, *places(tmp_path), *wanted, "--device", "gpu")[2]
    assert "goes with --slurm" in bench_command(*RUN, "--slurm-dry-run")[2]
    assert list(tmp_path.iterdir()) == []


SAVES = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
if (folder / "saved").exists():
    sys.exit(0)
def save(*_):
    (folder / "saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
(folder / "begun").touch()
time.sleep(60)
"""


def child_of(parent: int) -> int:
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


def test_a_task_whose_time_is_over_saves_and_is_requeued(tmp_path):
    executor = submitit.LocalExecutor(tmp_path / "logs", max_num_timeout=3)
    executor.update_parameters(timeout_min=60)
    job = executor.submit(slurm.Share([sys.executable, "-c", SAVES, str(tmp_path)]))
    wait_for((tmp_path / "begun").exists)
    os.kill(child_of(int(job.job_id)), signal.SIGUSR2)  # as SLURM does
    assert job.result() == 0, job.stderr()
    assert (tmp_path / "saved").exists() and "Requeued job" in job.stderr() + job.stdout()


def test_a_task_that_slurm_ends_saves_and_waits_for_the_kill(tmp_path):
    made = "import sys; from bench.running.slurm import Share; Share([sys.executable, '-c', *sys.argv[1:]])()"
    task = subprocess.Popen([sys.executable, "-c", made, SAVES, str(tmp_path)], cwd=ROOT, env=environment())
    wait_for((tmp_path / "begun").exists)
    task.terminate()
    wait_for((tmp_path / "saved").exists)
    time.sleep(3 * slurm.LOOK)
    assert task.poll() is None, "a preempted task that ended by itself would count as completed"
    task.kill()
    task.wait()
