"""Records: one JSON file a cell, the only source of truth. The path is the identity."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from . import outcomes
from .errors import UserError
from .settings import parse_assignments
from .storage import write_atomically

SCHEMA_VERSION = 1


@dataclass
class Record:
    """Everything known of one cell; see the fields of `cost` and `metrics` in the README."""

    track: str
    backbone: str
    budget: str
    method: str  # the name of the method alone
    seed: int
    status: str  # ok, failed, diverged, out_of_memory, timeout or killed
    contender: str = ""  # the method with its settings: what has a row
    role: str = "contestant"
    uses_labels: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    recipe_hash: str = ""
    given: dict[str, Any] | None = None  # what the user had chosen; before contenders, their only mark
    state_version: int | None = None
    protocol: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    evaluators: dict[str, Any] = field(default_factory=dict)  # beyond the protocol: versions, and what columns mean
    data: dict[str, Any] = field(default_factory=dict)
    collapsed: bool = False  # whether the embeddings of different images are all but the same at the end of training
    outcomes: dict[str, str] = field(default_factory=dict)  # by metric: which test images it got right, see `outcomes`
    curve: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None
    schema_version: int = SCHEMA_VERSION


def write(record: Record, path: Path) -> None:
    """Write ``record`` whole or not at all. Raises `StorageError`, and TypeError where it holds more than plain values."""
    write_atomically(path, dumps(record))


def dumps(record: Record) -> str:
    """The record as JSON, which has no word for what is not finite: that becomes null."""
    return json.dumps(_finite(asdict(record)), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path) -> Record:
    """The record in ``path``; `UserError` says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no readable record: {error}; move it away to compute it again") from None
    known = {f.name for f in fields(Record)}
    if not isinstance(content, dict) or not {"schema_version", "track", "method", "seed", "status"} <= set(content):
        raise UserError(f"{path} is not a record of this harness")
    version = content["schema_version"]
    if type(version) is not int or version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version!r}; this version reads up to {SCHEMA_VERSION}: update the harness")
    try:
        record = Record(**{key: value for key, value in content.items() if key in known})
    except TypeError as error:
        raise UserError(f"{path} is not a whole record: {error}") from None
    for key in known:
        if not _fits(getattr(record, key), TYPES[key]):
            raise UserError(f"{path} is damaged: {key} is {str(getattr(record, key))[:40]!r}")
    _check_outcomes(record, path)
    if not record.contender:
        record.contender = _contender_of_before(record)
    return record


def is_of_before(record: Record) -> bool:
    """Whether it was written with settings when these were no part of a name."""
    return "sets" in (record.given or {}) and any((record.given or {}).values())


def _contender_of_before(record: Record) -> str:
    """The method with what was given; `recorded.contender` leaves out what is a default."""
    if not is_of_before(record):
        return record.method
    given: dict[str, Any] = record.given or {}
    settings = {a.key: a.value.replace(",", "+") for a in parse_assignments(given["sets"])}
    if given.get("batch_size") is not None:
        settings["batch_size"] = str(given["batch_size"])
    return f"{record.method}:{','.join(f'{key}={value}' for key, value in sorted(settings.items()))}"


def _check_outcomes(record: Record, path: Path) -> None:
    for metric, text in record.outcomes.items():
        try:
            outcomes.unpack(text, int(record.data.get("test", 0)))
        except (TypeError, ValueError) as error:
            raise UserError(f"{path} is damaged: outcomes of {metric}: {error}") from None


TYPES = get_type_hints(Record)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON is of the type that a field has."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if kind is dict:
        return isinstance(value, dict) and all(_fits(v, inner[1]) for v in value.values())
    if kind is list:
        return isinstance(value, list) and all(_fits(v, inner[0]) for v in value)
    if inner:
        return any(_fits(value, one) for one in inner)
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is hint


def read_all(out: Path | str) -> tuple[list[Record], list[str]]:
    """All records below ``out`` in the order of their paths, and a line for each file that is not one."""
    found, problems = [], []
    for path in record_paths(Path(out)):
        try:
            record = read(path)
        except UserError as error:
            problems.append(str(error))
            continue
        folder = unquote(path.parent.name)
        if path.name != f"seed{record.seed}.json" or folder not in (record.contender, _folder_of_before(record)):
            problems.append(f"{path} is the record of {record.contender}, seed {record.seed}: its path must say so")
            continue
        found.append(record)
    return found, problems


def _folder_of_before(record: Record) -> str:
    return record.method if "sets" in (record.given or {}) else record.contender


def record_paths(out: Path) -> Iterable[Path]:
    """Files at the depth of records: ``<track>/<backbone>/<budget>/<method>/seed<k>.json``."""
    return sorted(path for path in out.glob("*/*/*/*/seed*.json") if not path.name.startswith("."))
