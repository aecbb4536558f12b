"""Small cells on the embedded digits, for tests that interrupt, starve and damage them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.budget import parse_budget
from bench.cells import Cell
from bench.contenders import parse_contender
from bench.datasets.registry import open_splits, track_of
from bench.datasets.spec import parse_spec
from bench.methods import registry
from bench.recipe import resolve
from bench.running.cell import Job
from bench.running.options import Options, read_options

ROOT = Path(__file__).parents[1]
DATA, BATCH = "digits:fraction=0.2", 16


def command(folder: Path, methods: str, *flags: str, budget: str = "40steps", seeds: int = 1) -> list[str]:
    """A `run` whose records and encoders go below ``folder``."""
    cells = ["--datasets", DATA, "--methods", methods, "--budget", budget, "--seeds", str(seeds), "--batch-size", str(BATCH)]
    places = ["--device", "cpu", "--out", str(folder / "results"), "--runs", str(folder / "runs")]
    return [sys.executable, "-m", "bench", "run", *cells, *places, *flags]


def options(folder: Path, methods: str, budget: str = "40steps", **changes: Any) -> Options:
    """The same run in this process."""
    sets = [f"batch_size={BATCH}", *changes.pop("sets", ())]
    cells = dict(methods=methods, datasets=DATA, budget=budget, seeds=1, sets=sets)
    places = dict(device="cpu", out=folder / "results", runs=folder / "runs", data_dir=folder)
    return read_options(**(cells | places | changes))


def job(contender: str, runs: Path, budget: str = "1ep", seed: int = 0, data: str = DATA, **conditions: Any) -> Job:
    """One cell of the method spec ``contender``, ready to compute."""
    spec, one = parse_spec(data), parse_contender(contender)
    splits = open_splits(spec, runs)
    track = track_of(spec)
    recipe = resolve(spec, track, len(splits.train), registry()[one.method], parse_budget(budget), None, one.settings)
    return Job(cell=Cell(recipe, seed), data_root=runs, runs=runs, **conditions)


def environment(root: Path = ROOT) -> dict[str, str]:
    """One thread, as bit-equality is promised for equal numbers of them; modules from ``root`` first."""
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def wait_for(holds: Callable[[], object], seconds: float = 150) -> None:
    """Until ``holds()``; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
