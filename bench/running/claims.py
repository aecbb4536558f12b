"""Claims: which run computes a cell, so that several runs on one ``--out`` divide the cells among them.

A claim is a small file next to the future record, made by one exclusive creation, which is atomic on shared file systems
too. A claim whose owner is dead is not removed (of two runs that do, one might remove the other's new claim) but superseded: the
next generation of it is created, again exclusively. Owners on this machine are looked up by process. Others, and claims that
cannot be read, count as dead once this process has seen no change of the claim for SILENT seconds; with ``by_age``, once the
claim's file is that old by the clock of its file system.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import tempfile
import time
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import StorageError
from ..storage import nearest

BEAT = 10.0  # seconds between two heartbeats
LENGTH = 1000  # characters of a claim; JSON ends with spaces as well
SILENT = 180.0  # seconds without one after which an owner elsewhere counts as dead; network drives cache for up to 60


class Claim:
    """A cell that this run alone may compute. Use as a context."""

    def __init__(self, record: Path, path: Path, says: dict[str, Any]):
        self.record, self.path, self.says = record, path, says
        self.beaten = time.monotonic()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        """Release it, older generations first, so that a dead one is never the newest; a newer one is its owner's to release."""
        if not self.held():
            return
        for path in generations(self.record):
            if generation(path) <= generation(self.path):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def beat(self, at_once: bool = False, **news: Any) -> None:
        """Renew the claim, every BEAT seconds unless ``at_once``, with what is known by then: ``progress=0.5``."""
        self.says |= news
        if at_once or time.monotonic() - self.beaten > BEAT:
            self.beaten = time.monotonic()
            with contextlib.suppress(OSError), self.path.open("r+") as stream:  # which makes no file that is gone
                stream.write(_text(self.says))
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def held(self) -> bool:
        """Whether it is still ours: another run may have taken it over while this machine slept."""
        found = generations(self.record)
        return bool(found) and found[-1] == self.path and owner(self.path).get("token") == self.says["token"]


class Claims:
    """Takes claims for a campaign, and remembers since when those of other machines have not been renewed.

    With ``by_age`` the age of a claim's file counts at once.
    """

    def __init__(self, campaign: str = "", by_age: bool = False) -> None:
        self.campaign, self.by_age = campaign, by_age
        self.seen: dict[Path, tuple[object, float]] = {}

    def take(self, record: Path) -> Claim | None:
        """The claim on the cell of ``record``, or None while another run holds it. Raises `StorageError`."""
        found = generations(record)
        standing = found[-1] if found else None
        judged = None if standing is None else _signature(standing)
        if standing is not None and self._alive(standing, judged):
            return None
        mine = record.with_name(f".{record.name}.claim-{0 if standing is None else generation(standing) + 1}")
        says = self._says()
        if not _create(mine, says):
            return None
        claim = Claim(record, mine, says)
        replaced = standing is not None and _signature(standing) != judged  # by another run, since it was judged
        if replaced or not claim.held():
            mine.unlink(missing_ok=True)
            return None
        return claim

    def _says(self) -> dict[str, Any]:
        pid = os.getpid()
        mine = {"place": machine(), "pid": pid, "started": started(pid), "token": uuid.uuid4().hex, "since": time.time()}
        return mine | {"campaign": self.campaign}

    def _alive(self, path: Path, signature: object) -> bool:
        found = owner(path)
        if found.get("place") == machine():
            return lives(found)
        if self.by_age:
            try:
                return age(path, clock(path.parent)) < SILENT
            except OSError:  # released since it was listed
                return True
        if path not in self.seen or self.seen[path][0] != signature:
            self.seen[path] = (signature, time.monotonic())
        return time.monotonic() - self.seen[path][1] < SILENT


def clock(folder: Path) -> float:
    """The time by the clock that stamps files in ``folder``, which need not exist yet: a network drive has its own."""
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=nearest(folder)) as probe:
        return os.fstat(probe.fileno()).st_mtime
    return time.time()


def age(path: Path, now: float) -> float:
    """Seconds from the last writing of ``path`` to ``now``, a time of `clock`."""
    return max(0.0, now - path.stat().st_mtime)


def generations(record: Path) -> list[Path]:
    """The claims on the cell of ``record``, the one that counts last."""
    return sorted(record.parent.glob(f".{record.name}.claim-*"), key=generation)


def generation(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _create(path: Path, says: dict[str, Any]) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("x")
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    try:
        with stream:
            stream.write(_text(says))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    return True


def _text(says: dict[str, Any]) -> str:
    """All claims are of one length: a renewal covers the text before it in one write, and readers never see half of it."""
    return json.dumps(says).ljust(LENGTH)


def owner(path: Path) -> dict[str, Any]:
    """What the claim says of its owner; nothing where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("pid"), int) else {}


def lives(found: dict) -> bool:
    """Whether the process of an `owner` on this machine is still that one."""
    now = started(found["pid"])
    return now == found.get("started") if now is not None else _is_hidden(found["pid"])


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of this number, of another user, that this system does not show (``hidepid`` of /proc)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _signature(path: Path) -> object:
    """Changes with the owner of the claim, and with each heartbeat."""
    content = None
    with contextlib.suppress(OSError):  # another user's may be unreadable
        content = path.read_bytes()
    try:
        return path.stat().st_ino, path.stat().st_mtime_ns, content
    except OSError:
        return None


@cache
def machine() -> str:
    """Identifies this machine since its start, and this container of it: where a process number means one process."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts += [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    return " ".join(parts)


def started(pid: int) -> str | None:
    """When process ``pid`` was started, in a form that no later process of this number shares; None where it is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        return None if Path("/proc/self/stat").exists() else _without_proc(pid)


def is_stopped(pid: int | None) -> bool:
    """Whether process ``pid`` is stopped by a signal; False where the system does not show it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


def _without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"
