"""Atomic writes: a file is complete or absent, also after a failure while it is written."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path

from .errors import StorageError, UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """``path`` holds the old content or the new one, never a part, also after a power failure.

    Raises `StorageError` where it cannot be written: no space, no permission, a quota.
    """
    partial = path.with_name(f".{path.name}.partial-{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(path: Path) -> None:
    """Remove partial files of ``path`` that killed processes left; call this only where no other process may write ``path``."""
    with contextlib.suppress(OSError):
        for leftover in list(path.parent.iterdir()):
            if leftover.name.startswith(f".{path.name}.partial"):
                leftover.unlink(missing_ok=True)


def nearest(folder: Path) -> Path:
    """``folder``, or the innermost folder around it that exists."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return existing


def check_writable(folder: Path) -> None:
    """`UserError` unless files can be made in ``folder``, which need not exist yet; leaves no trace."""
    existing = nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"?")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {existing} takes no files ({error.strerror or error})") from None
