"""SIGKILL at random instants: of a cell's process, and of a whole run with all its processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from bench.methods import registry
from common import Tally, command, environment, essences, reference, start

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


def run_once(chosen: session.Options, kill_after: float | None = None, since: str = "start") -> dict[str, Any]:
    """Run the one cell that ``chosen`` means, killing its process some seconds after it has entered a phase.

    Gives its events by name: when it entered each phase, whether it was resumed, and its record.
    """
    tasks, _ = session.plan(chosen)
    seen: dict[str, Any] = {}
    timer = threading.Timer(kill_after or 0, kill_children)

    def hear(_: runner.Task, event: dict[str, Any]) -> None:
        seen.update(event)
        if "phase" in event:
            seen[event["phase"]] = time.monotonic()
        if event.get("phase") == since and kill_after is not None and not timer.is_alive():
            timer.start()

    runner.run_all([task for task in tasks if task.due("failed")], chosen.out, hear, Stop())
    timer.cancel()
    return seen


def kill_children() -> None:
    for process in multiprocessing.active_children():
        if process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)


def cells(folder: Path, kills: int, rng: random.Random, budget: str = "40steps") -> Tally:
    """Kill every method's cell again and again; after each kill that hits, let it end and compare."""
    os.environ.update(environment())
    forkserver.set_forkserver_preload(["eager"])
    forkserver.ensure_running()
    tally, resumes, attempt = Tally("SIGKILL of a cell"), 0, 0
    methods = list(registry())
    expected: dict[str, Any] = {}
    typical: dict[str, Any] = {}
    while tally.tried < kills:
        attempt += 1
        method = methods[attempt % len(methods)]
        if method not in expected:
            typical[method] = run_once(options(folder / "whole" / method, method, budget))
            expected[method] = reference(folder / "whole" / method)
        place = folder / f"{attempt}-{method}"
        chosen = options(place, method, budget)
        hits = 0
        since = rng.choice(["start", "train", "train"]) if "train" in typical[method] else "start"
        longest = typical[method]["done"] - typical[method][since]
        while hits < 1 + attempt % 2:  # every other cell is killed twice
            if run_once(chosen, rng.uniform(0, longest), since)["record"].status != "killed":
                break
            hits += 1
        resumes += "resumed" in run_once(chosen) if hits else 0
        for _ in range(hits):
            tally.hold(essences(place) == expected[method], f"{method}: another result in {place}")
    tally.note = f"{len(expected)} methods, {resumes} ends from a checkpoint"
    return tally


def groups(folder: Path, kills: int, rng: random.Random, methods: str = "all", budget: str = "300steps") -> Tally:
    """Kill a whole run with all its processes, start the same command again, until it was killed often enough; compare."""
    tally = Tally("SIGKILL of a whole run")
    folder.mkdir()
    flags = ["--methods", methods, "--seeds", "1", "--checkpoint-every", "5steps"]
    start(command(folder / "whole", *flags, budget=budget), folder / "whole.log").wait()
    again, log = command(folder / "killed", *flags, budget=budget), folder / "killed.log"
    hits = 0
    while hits < kills:
        run = start(again, log)
        wait_for_checkpoint(folder / "killed" / "runs", run, rng.uniform(0, 3))
        if run.poll() is not None:
            break
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        hits += 1
    code = start(again, log).wait()
    same = code == 0 and essences(folder / "killed") == reference(folder / "whole")
    for _ in range(hits):
        tally.hold(same, f"exit code {code}, or another result: {folder / 'killed'}")
    tally.note = f"{log.read_text().count('going on at')} cells went on from a checkpoint"
    return tally


def wait_for_checkpoint(runs: Path, run: subprocess.Popen, further: float) -> None:
    """Wait until this run has written one, and ``further`` seconds."""
    begun = time.time()
    while run.poll() is None and not any(changed_since(path, begun) for path in runs.rglob("*.checkpoint")):
        time.sleep(0.05)
    time.sleep(further)


def changed_since(path: Path, when: float) -> bool:
    try:
        return path.stat().st_mtime > when
    except OSError:  # it was moved or removed between the two looks
        return False
