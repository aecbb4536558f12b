"""Records: one JSON file a cell, the only source of truth. The path is the identity."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import UserError

SCHEMA_VERSION = 1


@dataclass
class Record:
    """Everything known of one cell; see the fields of `cost` and `metrics` in the README."""

    track: str
    backbone: str
    budget: str
    method: str
    seed: int
    status: str  # ok, failed, diverged or killed
    role: str = "contestant"
    uses_labels: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    recipe_hash: str = ""
    given: dict[str, Any] | None = None  # what the user had chosen, from which today's recipe can be resolved
    state_version: int | None = None
    protocol: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None
    schema_version: int = SCHEMA_VERSION


def write_atomically(path: Path, text: str) -> None:
    """``path`` holds the old text or the new one, never a part; `UserError` where it cannot be written."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write(record: Record, path: Path) -> None:
    write_atomically(path, json.dumps(asdict(record), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> Record:
    """The record in ``path``; `UserError` says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable record: {error}") from None
    known = {f.name for f in fields(Record)}
    if not isinstance(content, dict) or not {"schema_version", "track", "method", "seed", "status"} <= set(content):
        raise UserError(f"{path} is not a record of this harness")
    version = content["schema_version"]
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version}; this version reads up to {SCHEMA_VERSION}: update the harness")
    try:
        return Record(**{key: value for key, value in content.items() if key in known})
    except TypeError as error:
        raise UserError(f"{path} is not a whole record: {error}") from None


def read_all(out: Path) -> tuple[list[Record], list[str]]:
    """All records below ``out`` in the order of their paths, and a line for each file that is not one."""
    found, problems = [], []
    for path in record_paths(out):
        try:
            found.append(read(path))
        except UserError as error:
            problems.append(str(error))
    return found, problems


def record_paths(out: Path) -> Iterable[Path]:
    """Files at the depth of records: ``<track>/<backbone>/<budget>/<method>/seed<k>.json``."""
    return sorted(path for path in out.glob("*/*/*/*/seed*.json") if not path.name.startswith("."))
