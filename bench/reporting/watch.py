"""Reads the status file of a run in progress, in the folder of records, and renews the report while the run goes on."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from .. import records
from ..validation import Fraction, NonNegative, check_of
from . import published

FILE = ".running.json"
LOOK_EVERY = 1.0  # seconds
FORGOTTEN = 60.0  # seconds without an update after which the run counts as killed


class StatusFile(TypedDict, total=False):
    """The content of the status file."""

    cell: str
    progress: Fraction
    loss: float
    phase: str
    seconds: NonNegative


FITS = check_of(StatusFile)


def running(out: Path) -> dict[str, Any] | None:
    """The status of a run that writes to ``out`` now; None if there is none."""
    try:
        if time.time() - (out / FILE).stat().st_mtime > FORGOTTEN:
            return None
        status = json.loads((out / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return status if FITS(status) is None else None


def watch(out: Path, renew: Callable[[bool], None], rounds: int | None = None) -> None:
    """Call ``renew(live)`` now and after every change of a record, until interrupted (or ``rounds`` checks); then once more."""
    seen: Any = None
    try:
        while rounds is None or rounds > 0:
            now = _state(out), running(out) is not None  # a killed run changes no file any more
            if now != seen:
                renew(True)
                seen = now
            rounds = None if rounds is None else rounds - 1
            time.sleep(LOOK_EVERY if rounds is None else 0)
    except KeyboardInterrupt:
        pass
    renew(False)


def _state(out: Path) -> list[tuple[str, int, int]]:
    paths = [*records.record_paths(out), out / published.FILE, out / FILE]
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # the file may have been removed since it was listed
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return found
