"""SIGKILL at random instants: of a cell's process, and of a whole run with all its processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from bench.methods import registry
from common import Tally, command, environment, essences, start

from bench import runner, session
from bench.signals import Stop


def options(folder: Path, method: str, budget: str) -> session.Options:
    return session.Options(
        methods=method,
        datasets="digits:fraction=0.2",
        budget=budget,
        seeds=1,
        backbone=None,
        batch_size=16,
        device="cpu",
        out=folder / "results",
        runs=folder / "runs",
        on_existing="failed",
        sets=(),
        data_root=folder,
        checkpoint_every="3steps",
    )


def run_once(chosen: session.Options, kill_after: float | None) -> tuple[float, bool, bool]:
    """Run the one cell that ``chosen`` means, killing its process after a while: seconds, whether it resumed, and was hit."""
    tasks, _ = session.plan(chosen)
    events: list[dict[str, Any]] = []
    timer = threading.Timer(kill_after or 0, kill_children)
    if kill_after is not None:
        timer.start()
    begun = time.monotonic()
    runner.run_all([task for task in tasks if task.due("failed")], chosen.out, lambda _, event: events.append(event), Stop())
    timer.cancel()
    records = [event["record"] for event in events if event.get("phase") == "done"]
    resumed = any("resumed" in event for event in events)
    return time.monotonic() - begun, resumed, bool(records) and records[-1].status == "killed"


def kill_children() -> None:
    for process in multiprocessing.active_children():
        if process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)


def cells(folder: Path, kills: int, rng: random.Random, budget: str = "40steps") -> Tally:
    """Kill every method's cell again and again; after each kill that hits, let it end and compare."""
    os.environ.update(environment())
    forkserver.set_forkserver_preload(["eager"])
    forkserver.ensure_running()
    tally, resumes = Tally("SIGKILL of a cell"), 0
    methods = list(registry())
    expected, typical = {}, {}
    for method in methods:
        chosen = options(folder / "whole" / method, method, budget)
        run_once(chosen, None)
        expected[method] = essences(folder / "whole" / method)
        typical[method] = run_once(options(folder / "timed" / method, method, budget), None)[0]
    while tally.tried < kills:
        method = methods[tally.tried % len(methods)]
        place = folder / f"{tally.tried}-{method}"
        chosen = options(place, method, budget)
        hits = 0
        while run_once(chosen, rng.uniform(0, typical[method]))[2]:
            hits += 1
            if hits == 1 + tally.tried % 2:  # every other cell is killed twice
                break
        resumes += run_once(chosen, None)[1]
        for _ in range(hits):
            tally.hold(essences(place) == expected[method], f"{method}: another result in {place}")
    tally.note = f"{len(methods)} methods, {resumes} ends from a checkpoint"
    return tally


def groups(folder: Path, kills: int, rng: random.Random, methods: str = "all", budget: str = "300steps") -> Tally:
    """Kill a whole run with all its processes, start the same command again, until it was killed often enough; compare."""
    tally = Tally("SIGKILL of a whole run")
    flags = ["--methods", methods, "--seeds", "1", "--checkpoint-every", "5steps"]
    start(command(folder / "whole", *flags, budget=budget), folder / "whole.log").wait()
    again, log = command(folder / "killed", *flags, budget=budget), folder / "killed.log"
    hits = 0
    while hits < kills:
        run = start(again, log)
        cells_begun(log, run, rng.uniform(0, 4))
        if run.poll() is not None:
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        hits += 1
    code = start(again, log).wait()
    same = code == 0 and essences(folder / "killed") == essences(folder / "whole")
    for _ in range(hits):
        tally.hold(same, f"exit code {code}, or another result: {folder / 'killed'}")
    tally.note = f"{log.read_text().count('going on at')} cells went on from a checkpoint"
    return tally


def cells_begun(log: Path, run, further: float) -> None:
    """Wait until this run has begun a cell, and ``further`` seconds."""
    before = log.read_text().count("\n[")
    while run.poll() is None and log.read_text().count("\n[") == before:
        time.sleep(0.1)
    time.sleep(further)
