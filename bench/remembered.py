"""A cache of results that depend on the code alone, in the user's cache folder, so that a report need not import torch.

The file is named by a digest of every source file and of the packages that add members. It is used only while torch is not
loaded: with torch, computing a result again costs less than the digest.
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

from .datasets.foreign import visible
from .errors import StorageError
from .folders import user_cache
from .storage import write_atomically

GROUPS = ("ssl_bench.methods", "ssl_bench.tracks")
ROOT = Path(__file__).parent


def remembered(key: str, make: Callable[[], Any]) -> Any:
    """``make()``, which returns plain values, or its result in an earlier command for the same ``key``; errors are not kept."""
    kept = _kept()
    if kept is None:
        return make()
    if key not in kept:
        kept[key] = make()
    return kept[key]


@cache
def _kept() -> dict[str, Any] | None:
    """The results known so far; None where torch is loaded and nothing is cached."""
    if "torch" in sys.modules:
        return None
    found: dict[str, Any] = {}
    folder = user_cache()
    with contextlib.suppress(OSError):  # a source file that cannot be read
        if folder is not None:
            path = folder / "recipes" / f"{digest()}.json"
            found = _read(path)
            atexit.register(_save, path, found, len(found))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _save(path: Path, kept: dict[str, Any], before: int) -> None:
    if len(kept) == before:
        return
    with contextlib.suppress(OSError, StorageError):  # then the next command computes the results again
        for old in path.parent.glob("*.json"):
            old.unlink()
        write_atomically(path, json.dumps(kept))


def digest() -> str:
    """A digest of the source files of the harness, and of the packages that add methods or tracks."""
    hasher = hashlib.sha256(platform.python_version().encode())
    for folder in (ROOT, ROOT / "methods", ROOT / "datasets"):  # links, which rglob does not follow
        for path in visible(folder, "**/*.py"):
            hasher.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    for group in GROUPS:
        hasher.update(repr(sorted((p.name, p.value, p.dist and p.dist.version) for p in entry_points(group=group))).encode())
    return hasher.hexdigest()[:32]
