"""A request to every run on a folder to stop after a checkpoint: a file there, which runs look at.

A request that was there when a run began is not for it: so nothing has to be removed, and no two clocks are compared.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ..errors import counted
from ..storage import write_atomically
from . import campaign, claimed
from .claimed import Claimed

FILE = ".cancel"
LOOK = 2.0  # seconds between two looks of a run
PATIENCE = 90.0  # seconds that `cancel` waits: a look, a step and its checkpoint; network drives show files up to 60 late


class Request:
    """Whether a run that began when this was made has been asked to stop since."""

    def __init__(self, out: Path):
        self.path = out / FILE
        self.before, self.looked = self._read(), time.monotonic()

    def made(self) -> bool:
        """Looks every LOOK seconds at most."""
        if time.monotonic() - self.looked < LOOK:
            return False
        self.looked = time.monotonic()
        return self._read() not in (None, self.before)

    def _read(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except OSError:
            return None


def ask(out: Path, say: Callable[[str], None]) -> int:
    """Ask all runs on ``out`` to stop, and wait until none computes; 1 where some still do after PATIENCE seconds, else 0."""
    running = _running(out)
    idle = not running and not campaign.of_folder(out)
    if out.is_dir() or not idle:  # also for a command that is between two of its runs
        write_atomically(out / FILE, uuid.uuid4().hex)
    if idle:
        say(f"nothing runs on {out}")
        return 0
    say(f"{counted(len(running), 'cell')} running; every run on {out} is asked to stop after a checkpoint")
    begun = seen = time.monotonic()
    while time.monotonic() - seen < LOOK + 1:  # a run that was between two cells has looked by then
        if left := _running(out):
            seen = time.monotonic()
        if seen - begun > PATIENCE:
            say("\n".join(f"still running  {one}" for one in left))
            return 1
        time.sleep(LOOK / 4)
    say("all have stopped; the same run commands go on")
    return 0


def _running(out: Path) -> list[Claimed]:
    return [one for one in claimed.below(out) if one.alive]
