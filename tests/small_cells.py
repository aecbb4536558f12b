"""Small cells on the embedded digits, for tests that interrupt, starve and damage them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.running import session

ROOT = Path(__file__).parents[1]
DATA, BATCH = "digits:fraction=0.2", 16


def command(folder: Path, methods: str, *flags: str, budget: str = "40steps", seeds: int = 1) -> list[str]:
    """A `run` whose records and encoders go below ``folder``."""
    cells = ["--datasets", DATA, "--methods", methods, "--budget", budget, "--seeds", str(seeds), "--batch-size", str(BATCH)]
    places = ["--device", "cpu", "--out", str(folder / "results"), "--runs", str(folder / "runs")]
    return [sys.executable, "-m", "bench", "run", *cells, *places, *flags]


def options(folder: Path, methods: str, budget: str = "40steps", **changes: Any) -> session.Options:
    """The same run in this process."""
    cells = dict(methods=methods, datasets=DATA, budget=budget, seeds=1, backbone=None, batch_size=BATCH, sets=())
    places = dict(device="cpu", out=folder / "results", runs=folder / "runs", data_root=folder, on_existing="skip")
    return session.Options(**(cells | places | changes))


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
