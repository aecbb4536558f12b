"""Results that follow from the code alone, kept in the user's cache, so that a report need not import torch.

A file a state of the code: its name is the digest of every source file and of the packages that add members. It is used
only where torch is not loaded yet; where it is, computing again costs less than looking it up.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import platform
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from .errors import StorageError
from .storage import write_atomically

GROUPS = ("ssl_bench.methods", "ssl_bench.tracks")
ROOT = Path(__file__).parent


def remembered(key: str, make: Callable[[], Any]) -> Any:
    """``make()``, which gives plain values, or what it gave to an earlier command under this ``key``; errors are not kept."""
    kept = _kept()
    if kept is None:
        return make()
    if key not in kept:
        kept[key] = make()
    return kept[key]


@cache
def _kept() -> dict[str, Any] | None:
    """The results known so far; None where this process computes everything itself."""
    if "torch" in sys.modules:
        return None
    found: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        path = Path(user_cache_dir("ssl-bench")) / "recipes" / f"{digest()}.json"
        with contextlib.suppress(FileNotFoundError):
            found = json.loads(path.read_text())
        atexit.register(_save, path, found, len(found))
    return found


def _save(path: Path, kept: dict[str, Any], before: int) -> None:
    if len(kept) == before:
        return
    with contextlib.suppress(OSError, StorageError):  # without it the next command computes them again
        for old in path.parent.glob("*.json"):
            old.unlink()
        write_atomically(path, json.dumps(kept))


def digest() -> str:
    """Changes with any source file of the harness, and with the packages that add methods or tracks."""
    hasher = hashlib.sha256(platform.python_version().encode())
    for folder in (ROOT, ROOT / "methods", ROOT / "datasets"):  # links, which a search would not enter
        for path in sorted(folder.rglob("*.py")):
            hasher.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    for group in GROUPS:
        hasher.update(repr(sorted((p.name, p.value, p.dist and p.dist.version) for p in entry_points(group=group))).encode())
    return hasher.hexdigest()[:32]
