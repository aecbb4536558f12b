"""Default folders, and the home folder in paths."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

from .errors import UserError


def expanded(path: str | Path) -> Path:
    """``~/x`` and ``~name/x`` with the home folder, where no shell has put it there; `UserError` where there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: {Path(path).parts[0]} has no home folder here; write the whole path") from None


def user_cache() -> Path | None:
    """The user's folder for what can be got or made again; None where there is no home folder."""
    try:
        found = Path(user_cache_dir("ssl-bench"))
    except (RuntimeError, KeyError, OSError):  # no $HOME, and no entry in the list of users
        return None
    return found if found.is_absolute() else None  # older versions of platformdirs return ~/.cache then


def data_root(given: str | Path | None) -> Path:
    """The folder of prepared datasets; below the current folder where there is no home folder."""
    chosen = given or os.environ.get("BENCH_DATA")
    return expanded(chosen) if chosen else user_cache() or Path("ssl-bench-data")


def runs_root(given: Path | None, out: Path) -> Path:
    """The folder of checkpoints and encoders; by default each ``out`` has one of its own, so that no two share a file."""
    place = Path(os.path.normpath(out.absolute()))
    return given or place.parent / ("runs" if place.name == "results" else f"{place.name}-runs")
