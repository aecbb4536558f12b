"""A campaign on a real SLURM of two hosts: requeued, out of time, killed and cut off, it ends with the records of one left alone.

`tox -e cluster` runs it, as root, in minutes. Hosts are namespaces of this machine (network, host name, processes) that share
its file system; what they say of each other they know from files and from SLURM alone.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.running import claimed
from bench.running.claimed import Claimed
from tests.cluster.slurm import NODES, Cluster, missing, wait_for
from tests.small_cells import ROOT
from tests.stress.common import essences, left_behind, reference, start

METHODS, SEEDS, BUDGET, TASKS = "simclr,moco,ifnd_elim,simsiam,random_init,raw_pixels", 4, "3ep", 4
CELLS = ["--datasets", "digits:fraction=0.2,classes=5", "--methods", METHODS, "--seeds", str(SEEDS), "--batch-size", "32"]
ARRAY = f"partition=all,time=30min,array={TASKS}"
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cluster():
    if why := missing():
        pytest.fail(why)
    with Cluster() as made:
        yield made


class Campaign:
    """The cells on ``cluster``, with everything below ``folder``."""

    def __init__(self, cluster: Cluster, folder: Path, budget: str = BUDGET):
        self.cluster, self.folder, self.budget, self.job = cluster, folder, budget, ""

    def bench(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "bench", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.cluster.environment, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    @property
    def run(self) -> list[str]:
        places = ["--out", str(self.folder / "results"), "--runs", str(self.folder / "runs")]
        return ["run", *CELLS, "--budget", self.budget, "--device", "cpu", "--checkpoint-every", "1ep", *places]

    def submit(self, array: str = ARRAY) -> str:
        """Submit it; what was said."""
        said = self.bench(*self.run, "--slurm", array)[1]
        self.job = found[1] if (found := re.search(r"submitted job (\d+) of", said)) else ""
        return said

    def training(self, node: str) -> Claimed:
        """A cell that is training there now."""
        found: list[Claimed] = []

        def look() -> bool:
            found[:] = [one for one in claimed.below(self.folder / "results") if (one.host, one.phase) == (node, "train")]
            return bool(found)

        wait_for(look, 200)
        return found[0]

    def with_records(self, count: int) -> None:
        wait_for(lambda: len(list(self.folder.glob("results/*/*/*/*/seed*.json"))) >= count, 200)

    def on(self, node: str) -> list[str]:
        """The tasks that run there."""
        told = self.cluster.says("squeue", "-h", "-t", "RUNNING", "-w", node, "-o", "%i")
        return [task for task in told.split() if task.startswith(f"{self.job}_")]

    def ended(self) -> bool:
        return not self.cluster.says("squeue", "-h", "-o", "%i").strip()

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.rglob("*_log.out")))


def say(begun: float, what: str) -> None:
    print(f"{time.monotonic() - begun:5.0f} s  {what}", flush=True)


def test_a_disturbed_campaign_has_the_records_of_one_left_alone(cluster, tmp_path):
    tree, begun = repository(), time.monotonic()
    one, other = Campaign(cluster, tmp_path / "disturbed"), Campaign(cluster, tmp_path / "alone")
    with start([sys.executable, "-m", "bench", *other.run], tmp_path / "alone.log") as alone:
        disturb(cluster, one, begun)
        assert alone.wait(400) == 0, (tmp_path / "alone.log").read_text()
    say(begun, "the one that was left alone, outside SLURM, has ended")
    expected = reference(other.folder)
    assert len(expected) == SEEDS * len(METHODS.split(",")) and essences(one.folder) == expected
    assert not left_behind(one.folder) and not left_behind(other.folder)
    assert one.bench("status", "--out", str(one.folder / "results"))[0] == 0
    assert repository() == tree, "the repository has changed"
    say(begun, f"{len(expected)} cells, one record each, equal to those of the campaign that was left alone")


def disturb(cluster: Cluster, one: Campaign, begun: float) -> None:
    """Submit ``one``, and requeue, interrupt, kill and cut off its tasks until it has ended."""
    one.submit()
    assert one.job, "not submitted"
    say(begun, f"{one.job}: {TASKS} tasks on 2 hosts")

    one.training("left")
    wait_for(lambda: len(one.on("left")) == TASKS // len(NODES), 60)  # the second may start after the first one's first step
    requeued, out_of_time = one.on("left")
    cluster.says("scontrol", "requeue", requeued)
    say(begun, f"{requeued} requeued")
    one.with_records(2)
    one.training("left")
    cluster.says("scancel", "--signal=USR2", out_of_time)
    say(begun, f"{out_of_time} told that its time is over")
    one.with_records(5)
    worker = one.training("right")
    cluster.kill("right", worker.process)
    say(begun, f"SIGKILL to the worker of {worker.cell.split('/', 3)[3]}")
    one.with_records(8)
    one.training("right")
    cut_off = one.on("right")
    cluster.says("scontrol", "update", "NodeName=right", "State=DOWN", "Reason=test")
    say(begun, f"right taken down with {' and '.join(cut_off)}")
    wait_for(lambda: not one.on("right"), 60)
    cluster.says("scontrol", "update", "NodeName=right", "State=RESUME")
    wait_for(one.ended, 400)
    say(begun, "ended")

    restarts = {task: restarts_of(cluster, task) for task in (requeued, out_of_time, *cut_off)}
    assert cut_off and all(restarts.values()), f"not requeued: {restarts}"
    assert "the run ended with -9" in one.logs(), "no task has seen its worker killed"
    assert "going on at" in one.logs(), "no cell was resumed from a checkpoint"
    say(begun, f"restarts of tasks: {restarts}")


def test_cancel_ends_the_tasks_of_both_hosts(cluster, tmp_path):
    endless = Campaign(cluster, tmp_path, budget="10Msteps")
    endless.submit()
    begun = time.monotonic()

    def training() -> list[Claimed]:
        return [one for one in claimed.below(tmp_path / "results") if one.phase == "train"]

    wait_for(lambda: len(training()) == TASKS, 300)
    assert {one.host for one in training()} == set(NODES)
    code, said = endless.bench("cancel", "--out", str(tmp_path / "results"))
    say(begun, said.replace("\n", "; "))
    assert code == 0 and "all have stopped" in said
    wait_for(endless.ended, 60)
    assert endless.logs().count("stopped by `cancel`") == TASKS and not list(tmp_path.rglob("*.claim-*"))
    assert len(list(tmp_path.rglob("*.checkpoint"))) >= 2


def test_sbatch_says_what_it_refuses(cluster, tmp_path):
    refused = Campaign(cluster, tmp_path)
    assert "sbatch: error: invalid partition specified: nope" in refused.submit("partition=nope,time=1h")
    assert list(tmp_path.iterdir()) == []


def restarts_of(cluster: Cluster, task: str) -> int:
    return int(re.search(r"Restarts=(\d+)", cluster.says("scontrol", "show", "job", task))[1])


def repository() -> str:
    return subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout
