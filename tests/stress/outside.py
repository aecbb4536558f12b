"""What comes from outside a run: it is stopped for a while, again and again; the log that it sends its curves to fails."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from common import Tally, essences, left_behind, reference, start, wait_for_checkpoint

from tests.small_cells import ROOT, command, environment

METHODS = "simclr,moco,ifnd_elim"
STILL = 3.0  # seconds of a stop: more than are taken for a late look at the clock
CALLS = ["init", "define_metric", "log", "finish"]  # of wandb, which may fail
STAND_IN = """
import os
class Run:
    summary = {}
    def define_metric(self, *a, **k): fail("define_metric")
    def log(self, values): fail("log")
    def finish(self): fail("finish")
def init(**settings):
    fail("init")
    return Run()
def fail(call):
    if os.environ["FAILS"] == call: raise ConnectionError("network is unreachable")
"""


def stopped(folder: Path, stops: int, rng: random.Random) -> Tally:
    """SIGSTOP to a run with all its processes, SIGCONT some seconds later: the same records, in which that time is apart."""
    tally = Tally("SIGSTOP, then SIGCONT")
    flags = (METHODS, "--checkpoint-every", "3steps")
    start(command(folder / "whole", *flags, budget="300steps"), folder / "whole.log").wait()
    counted, lasted, attempt = 0.0, 0.0, 0
    while tally.tried < stops:
        attempt += 1
        place = folder / f"stopped{attempt}"
        run = start(command(place, *flags, budget="300steps"), folder / f"{attempt}.log")
        hits = 0
        for _ in range(2):
            wait_for_checkpoint(place / "runs", run, rng.uniform(0, 1))
            if run.poll() is None:
                hits += 1
                os.killpg(run.pid, signal.SIGSTOP)
                time.sleep(STILL)
                os.killpg(run.pid, signal.SIGCONT)
        code = run.wait()
        same = code == 0 and essences(place) == reference(folder / "whole") and not left_behind(place)
        tally.hold(same, f"exit code {code}, another result or leftovers in {place}", hits)
        counted, lasted = counted + _stood_still(place), lasted + STILL * hits
    tally.note = f"{counted:.0f} of {lasted:.0f} s fell into training, and are in no cost"
    return tally


def _stood_still(place: Path) -> float:
    """Seconds that the records below ``place`` do not count as training."""
    return sum(json.loads(path.read_text())["cost"]["stopped_seconds"] for path in (place / "results").rglob("seed*.json"))


def logs(folder: Path) -> Tally:
    """Every call of Weights & Biases fails in turn, and TensorBoard has a file where its folder should be."""
    tally = Tally("a log that fails")
    (folder / "stub").mkdir(parents=True)
    (folder / "stub" / "wandb.py").write_text(STAND_IN)
    subprocess.run(command(folder / "whole", METHODS), cwd=ROOT, env=environment(), capture_output=True)
    for call in CALLS:
        place = folder / call
        (place / "runs").mkdir(parents=True)
        (place / "runs" / "tensorboard").write_text("a file")
        variables = environment(folder / "stub") | {"FAILS": call}
        run = subprocess.run(
            command(place, METHODS, "--log", "wandb,tensorboard"), cwd=ROOT, env=variables, capture_output=True, text=True
        )
        said = run.stdout + run.stderr
        once = all(said.count(f"{name} failed and is left out") == 1 for name in ("wandb", "tensorboard"))
        same = run.returncode == 0 and essences(place) == reference(folder / "whole") and "Traceback" not in said
        tally.hold(once and same, f"{call}: exit code {run.returncode}, one line each {once}: {said[-400:]}", 2)
    tally.note = f"wandb in {', '.join(CALLS)}; tensorboard's folder is a file"
    return tally
