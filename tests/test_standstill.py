"""Time in which a process stands still is seen, and is not mistaken for work."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from bench import standstill
from bench.datasets.spec import parse_spec
from bench.encoders import Opened
from bench.evaluation.knn import Knn
from bench.running import estimate, external
from bench.running.plan import plan
from bench.training.clock import Clock
from tests.small_cells import DATA, ROOT, options

SCRIPT = """
import sys, time
from bench import standstill
standstill.watch()
begun, wall = standstill.now(), time.monotonic()
print("ready", flush=True)
while standstill.now() - begun < 1.5:
    time.sleep(0.01) if sys.argv[1] == "waits" else sum(range(1000))
print(time.monotonic() - wall, standstill.seconds())
"""


def test_a_stopped_process_takes_no_time():
    """One whose main thread computes, and one whose main thread waits, as for a GPU."""
    runs = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, how], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for how in ("computes", "waits")
    ]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
        os.kill(run.pid, signal.SIGSTOP)
    time.sleep(3.5)
    for run in runs:
        os.kill(run.pid, signal.SIGCONT)
    for run in runs:
        wall, stood = map(float, run.communicate(timeout=60)[0].split())
        assert wall > 4.5 and stood == pytest.approx(3.5, abs=0.8)


@pytest.mark.parametrize(
    ("seconds", "computed", "stood"),
    [
        (0.3, 0.0, 0.0),  # a usual look
        (1.9, 0.0, 0.0),  # a late one, on a machine with other work
        (10.0, 0.1, 9.65),  # stopped
        (5.0, 4.9, 0.0),  # the thread could not look, as the main thread computed without a break
        (15.0, 5.0, 9.75),  # both
    ],
)
def test_what_counts_as_standing_still(clocks, seconds, computed, stood):
    before = standstill.now()
    clocks(seconds, computed)
    assert standstill.now() - before == pytest.approx(seconds - stood)
    assert standstill.seconds() == pytest.approx(stood)


def test_the_budget_clock_stands_still_too_and_says_so(clocks):
    clock = Clock(torch.device("cpu"))
    clock.start()
    clocks(1.0, 1.0)
    clocks(60.0, 0.0)
    assert clock.seconds() == pytest.approx(1.0, abs=0.3)
    with clock.paused("checkpoint"):
        clocks(1.0, 1.0)
        standstill.now()
        clocks(30.0, 0.0)
    clock.exclude(0.1)  # a moment
    clock.exclude(0.6)
    assert clock.apart["checkpoint"] < 1.3 and clock.stopped == pytest.approx(90.6, abs=1)
    resumed = Clock(torch.device("cpu"))
    resumed.restore(clock.state())
    clocks(20.0, 0.0)
    assert resumed.stopped == pytest.approx(110.6, abs=1) and resumed.seconds() == clock.train


def test_who_times_something_watches(tmp_path, monkeypatch):
    watched = []
    monkeypatch.setattr(standstill, "watch", lambda: watched.append(True))
    opened = Opened(torch.nn.Flatten(), "flat", "flat", "", None)
    external.evaluate(opened, parse_spec(DATA), [Knn()], torch.device("cpu"), tmp_path)
    (task,), _ = plan(options(tmp_path, "simclr", "2steps"))
    estimate.of_steps(task)
    assert watched == [True, True]
