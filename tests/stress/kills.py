"""SIGKILL at random instants: of a cell's process, and of a whole run with all its processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from common import Tally, changed_since, differences, essences, left_behind, reference, start, wait_for_checkpoint

from bench.events import Event, Phase, Recorded, Resumed, Started
from bench.methods import registry
from bench.running import scheduler
from bench.running.options import Options
from bench.running.plan import plan
from bench.running.signals import Stop
from tests.small_cells import command, environment, options

EAGER = "tests.stress.eager"
TOKENS = "vit_tiny_patch4_32"  # the backbone of methods that need a vision transformer
PLANS = [["checkpoint"], ["start", "checkpoint"], ["start"]]  # since when a cell's kills count their seconds


@dataclass(frozen=True)
class Kill:
    """So many seconds after the cell has begun (``start``), or after it has written its first checkpoint."""

    since: str
    seconds: float


def run_once(chosen: Options, kill: Kill | None = None) -> dict[str, Any]:
    """Run the one cell that ``chosen`` means; its events by name: when each phase began, whether it resumed, its record."""
    (task,), _ = plan(chosen)
    seen: dict[str, Any] = {}
    ended = threading.Event()

    def on_event(_: scheduler.Task, event: Event) -> None:
        match event:
            case Started():
                seen["start"] = time.monotonic()
            case Phase(name):
                seen[name] = time.monotonic()
            case Resumed(progress):
                seen["resumed"] = progress
            case Recorded(record):
                seen.update(done=time.monotonic(), record=record)

    killer = threading.Thread(target=kill_later, args=(kill, seen, chosen.conditions.runs / task.cell.checkpoint_path, ended))
    killer.start()
    scheduler.run_all([task], chosen.out, on_event, Stop())
    ended.set()
    killer.join()
    return seen


def kill_later(kill: Kill | None, seen: dict[str, Any], checkpoint: Path, ended: threading.Event) -> None:
    """Kill the cell's process when ``kill`` says, unless it has ended before."""
    begun = time.time()
    while kill and not ended.is_set():
        if changed_since(checkpoint, begun) if kill.since == "checkpoint" else kill.since in seen:
            break
        time.sleep(0.002)
    if kill and not ended.wait(kill.seconds):
        for process in multiprocessing.active_children():
            if process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)


def cells(folder: Path, methods: Sequence[str], kills: int, rng: random.Random, budget: str) -> Tally:
    """Kill the cell of each method so often, or once more; after one or two kills let it end, and compare.

    A kill that came too late does not count. After one that followed a checkpoint the cell must go on from it.
    """
    warm_up()
    tally, resumed = Tally("SIGKILL of a cell"), 0
    for method in methods:
        place, backbone = folder / "whole" / method, TOKENS if registry()[method].needs == "tokens" else None
        whole = run_once(options(place, method, budget, backbone=backbone))
        expected = reference(place)
        hits = attempt = done = 0
        while hits < kills:
            attempt += 1
            place = folder / f"{method}-{attempt}"
            chosen = options(place, method, budget, backbone=backbone, checkpoint_every="3steps", on_existing="failed")
            found = interrupted(chosen, [kill_at(since, whole, rng) for since in PLANS[done % len(PLANS)]])
            if found.hits:
                lost = differences(essences(place), expected) + [f"left behind: {path}" for path in left_behind(place)]
                lost += ["a checkpoint was not used"] if found.resumed < found.saved else []
                tally.hold(not lost, f"{method}, {found}: {'; '.join(lost)}", found.hits)
            hits, done, resumed = hits + found.hits, done + bool(found.hits), resumed + found.resumed
    tally.note = f"{len(methods)} methods; {resumed} times a cell went on from a checkpoint"
    return tally


def warm_up() -> None:
    """Let the server that cells are forked from load its modules now: the first cell's time is to be like the others'."""
    os.environ.update(environment())  # the server looks for modules in PYTHONPATH only
    forkserver.set_forkserver_preload([EAGER])
    process = multiprocessing.get_context("forkserver").Process(target=require, args=(EAGER,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{EAGER} was not preloaded: checkpoints would be rare")


def require(module: str) -> None:
    sys.exit(module not in sys.modules)


def kill_at(since: str, whole: dict[str, Any], rng: random.Random) -> Kill:
    """At a random instant of what is left of a cell that took as long as ``whole``."""
    if "train" not in whole:  # no checkpoint will be written
        since = "start"
    return Kill(since, rng.uniform(0, whole["done"] - whole["train" if since == "checkpoint" else "start"]))


@dataclass
class Interrupted:
    """How many kills came in time, how many of them after a checkpoint, and how often the cell went on from one."""

    hits: int = 0
    saved: int = 0
    resumed: int = 0


def interrupted(chosen: Options, kills: Sequence[Kill]) -> Interrupted:
    """Run a cell to its end, killing it meanwhile."""
    found = Interrupted()
    for kill in [*kills, None]:
        seen = run_once(chosen, kill)
        found.resumed += "resumed" in seen
        if kill is None or seen["record"].status != "killed":
            break
        found.hits += 1
        found.saved += kill.since == "checkpoint"
    return found


def groups(folder: Path, kills: int, rng: random.Random, methods: str = "", budget: str = "300steps") -> Tally:
    """Kill a whole run with all its processes, start the same command again, until it was killed often enough; compare."""
    tally = Tally("SIGKILL of a whole run")
    flags = (methods or "all", "--checkpoint-every", "5steps")
    start(command(folder / "whole", *flags, budget=budget), folder / "whole.log").wait()
    expected = reference(folder / "whole")
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
    same = code == 0 and essences(folder / "killed") == expected
    left = left_behind(folder / "killed")
    tally.hold(same and not left, f"exit code {code}, another result, or left behind in {folder / 'killed'}: {left}", hits)
    tally.hold(hits == kills, f"the run ended after {hits} of {kills} kills", kills - hits)
    tally.note = f"of {kills} kills; {log.read_text().count('going on at')} cells went on from a checkpoint"
    return tally
