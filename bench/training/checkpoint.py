"""Checkpoints: the last two states of a run, written atomically and read without running code from them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .. import versions
from ..errors import StorageError
from ..storage import sweep, write_atomically

MAGIC = b"bench checkpoint, sha256 "  # followed by 64 hexadecimal digits, a line feed, and the content that they hash
HEADER = len(MAGIC) + 65


class _Damaged(Exception):
    pass


def previous(path: Path) -> Path:
    """The path of the checkpoint before the one at ``path``."""
    return path.with_name(f"{path.name}.previous")


def save(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Write ``state`` with ``identity``; the previous checkpoint is kept as well. Raises `StorageError`."""
    content = io.BytesIO()
    torch.save({"version": versions.STATE, "identity": identity, "state": state}, content)
    digest = hashlib.sha256(content.getbuffer()).hexdigest()
    try:  # until the new checkpoint is complete, only the previous one can be loaded
        if path.exists():
            path.replace(previous(path))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    write_atomically(path, MAGIC + digest.encode() + b"\n" + content.getbuffer())


def load(
    path: Path, identity: str, device: torch.device, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any] | None:
    """The newest intact state with this ``identity`` and state version; None where there is none.

    A damaged checkpoint is removed; one of another recipe, seed, data or version stays; ``say`` gets a line on each.
    """
    for candidate in (path, previous(path)):
        try:
            saved = _read(candidate, device)
        except FileNotFoundError:
            continue
        except _Damaged as damage:
            say(f"{candidate} is damaged ({damage}); it is not used")
            candidate.unlink(missing_ok=True)
            continue
        if saved.get("version") != versions.STATE or saved.get("identity") != identity:
            say(f"{candidate} was made with other settings, data or code; it is not used")
            continue
        state = saved["state"]
        return state | {"rng": state["rng"].cpu(), "cuda_rng": None if state["cuda_rng"] is None else state["cuda_rng"].cpu()}
    return None


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    content = path.read_bytes()
    digest = hashlib.sha256(memoryview(content)[HEADER:]).hexdigest()
    if content[:HEADER] != MAGIC + digest.encode() + b"\n":
        raise _Damaged("its content does not have the hash that it should have")
    try:
        saved = torch.load(io.BytesIO(content[HEADER:]), map_location=device, weights_only=True)
    except Exception as error:  # a valid hash does not make a file trusted; any load error means corrupt
        raise _Damaged(f"{type(error).__name__}") from None
    if not isinstance(saved, dict):
        raise _Damaged("it is no checkpoint")
    return saved


def discard(path: Path, identity: str = "") -> None:
    """Remove both checkpoints at ``path`` and the partial files of killed processes.

    With an ``identity`` only checkpoints whose identity begins with it; damaged ones, whose identity is unknown, stay.
    """
    for part in (path, previous(path)):
        with contextlib.suppress(OSError, _Damaged):
            if not identity or str(_read(part, torch.device("cpu")).get("identity")).startswith(identity):
                part.unlink(missing_ok=True)
    sweep(path)
