"""Default folders."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir


def data_root(given: Path | None) -> Path:
    """The folder of prepared datasets; below the current folder where there is no home directory."""
    if given or os.environ.get("BENCH_DATA"):
        return given or Path(os.environ["BENCH_DATA"])
    try:
        return Path(user_cache_dir("ssl-bench"))
    except (RuntimeError, KeyError, OSError):  # no $HOME, and no entry in the list of users
        return Path("ssl-bench-data")


def runs_root(given: Path | None, out: Path) -> Path:
    """The folder of checkpoints and encoders; by default each ``out`` has one of its own, so that no two share a file."""
    place = Path(os.path.normpath(out.absolute()))
    return given or place.parent / ("runs" if place.name == "results" else f"{place.name}-runs")
