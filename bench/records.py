"""Records: one JSON file a cell, the only source of truth. The path is the identity."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict, get_type_hints
from urllib.parse import unquote

from . import outcomes
from .errors import UserError
from .settings import parse_assignments
from .storage import write_atomically
from .validation import Count, Fraction, Natural, NonNegative, check_of

SCHEMA_VERSION = 1
Status = Literal["ok", "failed", "diverged", "out_of_memory", "timeout", "killed"]


class Cost(TypedDict, total=False):
    """The cost of training and evaluation; None where it was not measured."""

    train_seconds: NonNegative | None
    detect_seconds: NonNegative | None
    eval_seconds: NonNegative | None
    compile_seconds: NonNegative | None
    checkpoint_seconds: NonNegative | None
    stopped_seconds: NonNegative | None
    images: Natural | None
    steps: Natural | None
    images_per_second: NonNegative | None
    peak_memory_bytes: NonNegative | None
    energy_joules: NonNegative | None


class Settings(TypedDict, total=False):
    """The sections of a recipe."""

    config: dict[str, Any]
    training: dict[str, Any]
    policy: dict[str, Any]
    side: Count | None
    own_recipe: str


class Given(TypedDict, total=False):
    """The settings that the user had given."""

    settings: dict[str, str]
    batch_size: Count | None
    sets: list[str]


class Data(TypedDict, total=False):
    """The data of the cell."""

    fingerprint: str
    train: Count
    test: Count
    classes: Count
    class_list: str
    judged_on: str  # the images of the accuracies, where they are not the test split


class Environment(TypedDict, total=False):
    """The machine and versions of the cell."""

    device: str
    precision: str
    versions: dict[str, str]


class Column(TypedDict):
    """What a column of an evaluator means, as `Metric` has it."""

    key: str
    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    note: str


class Described(TypedDict):
    """What a record keeps of an evaluator beyond its protocol."""

    version: Natural
    columns: dict[str, Column]


class Point(TypedDict, total=False):
    """A point of the learning curve."""

    progress: Fraction
    step: Natural
    epoch: NonNegative
    seconds: NonNegative


@dataclass
class Record:
    """The result of one cell; `metrics` declares its metrics and costs."""

    track: str
    backbone: str
    budget: str
    method: str  # the name of the method alone
    seed: Natural
    status: Status
    contender: str = ""  # the method with its settings; it has one row
    role: Literal["contestant", "oracle", "anchor", "external"] = "contestant"
    uses_labels: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)  # see `Cost`; a record that is read is checked against these types
    recipe: dict[str, Any] = field(default_factory=dict)  # `Settings`
    recipe_hash: str = ""
    given: dict[str, Any] | None = None  # settings that the user gave; in records older than contenders, their only trace
    state_version: int | None = None
    protocol: str = ""
    evaluation: dict[str, Any] = field(default_factory=dict)
    evaluators: dict[str, Any] = field(default_factory=dict)  # `Described` by name, of those beyond the protocol
    data: dict[str, Any] = field(default_factory=dict)
    collapsed: bool = False  # whether the embeddings of different images are almost the same at the end of training
    outcomes: dict[str, str] = field(default_factory=dict)  # by metric: which test images were right, see `outcomes`
    curve: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    error: dict[str, str] | None = None
    schema_version: int = SCHEMA_VERSION


def write(record: Record, path: Path) -> None:
    """Write ``record`` whole or not at all. Raises `StorageError`, and TypeError where it holds more than plain values."""
    write_atomically(path, dumps(record))


def dumps(record: Record) -> str:
    """The record as JSON; numbers that are not finite, which JSON does not have, become null."""
    return json.dumps(_finite(asdict(record)), indent=1, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read(path: Path) -> Record:
    """Read a record and check all fields against their types; `UserError` says what is wrong with it."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file; move it away to compute the record again")
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no readable record: {error}; move it away to compute it again") from None
    if not isinstance(content, dict) or not {"schema_version", "track", "method", "seed", "status"} <= set(content):
        raise UserError(f"{path} is not a record of this harness")
    version = content["schema_version"]
    if type(version) is not int or version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema version {version!r:.40}, and this reads up to {SCHEMA_VERSION}: update the harness")
    known = {key: value for key, value in content.items() if key in CHECKS}
    for key, value in known.items():
        if (why := CHECKS[key](value)) is not None:
            raise UserError(f"{path} is damaged: {key}{why}; mend it, or move it away to compute it again")
    try:
        record = Record(**known)
    except TypeError as error:
        raise UserError(f"{path} is not a whole record: {error}") from None
    if (why := AMOUNTS(record.cost)) is not None:
        raise UserError(f"{path} is damaged: cost{why}; mend it, or move it away to compute it again")
    _check_metrics(record, path)
    _check_outcomes(record, path)
    if not record.contender:
        record.contender = _contender_of_before(record, path)
    return record


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


INSIDE: dict[str, Any] = {  # the types inside a record's fields, as far as they are fixed
    "cost": Cost,
    "recipe": Settings,
    "given": Given | None,
    "data": Data,
    "environment": Environment,
    "curve": list[Point],
    "evaluators": dict[str, Described],
}
CHECKS = {key: check_of(hint) for key, hint in (get_type_hints(Record, include_extras=True) | INSIDE).items()}
AMOUNTS = check_of(dict[str, NonNegative | None])  # the type of costs that `Cost` does not list
SHARES = ("_top1", "_top5", "%")  # endings of the metrics that are shares of images


def _check_metrics(record: Record, path: Path) -> None:
    for key, value in record.metrics.items():
        if key.endswith(SHARES) and not 0 <= value <= 1:
            raise UserError(f"{path} is damaged: metrics.{key} is {value:g}, not a fraction from 0 to 1")


def is_of_before(record: Record) -> bool:
    """Whether the record has settings, and is older than contenders: they are not part of its name."""
    return "sets" in (record.given or {}) and any((record.given or {}).values())


def _contender_of_before(record: Record, path: Path) -> str:
    """The method spec of a record older than contenders, from ``given``; `recorded.contender` drops the defaults."""
    if not is_of_before(record):
        return record.method
    given: dict[str, Any] = record.given or {}
    try:
        settings = {a.key: a.value.replace(",", "+") for a in parse_assignments(given["sets"])}
    except UserError as error:
        raise UserError(f"{path} is damaged: given: {error}") from None
    if given.get("batch_size") is not None:
        settings["batch_size"] = str(given["batch_size"])
    return f"{record.method}:{','.join(f'{key}={value}' for key, value in sorted(settings.items()))}"


def _check_outcomes(record: Record, path: Path) -> None:
    for metric, text in record.outcomes.items():
        try:
            outcomes.unpack(text, int(record.data.get("test", 0)))
        except (TypeError, ValueError) as error:
            raise UserError(f"{path} is damaged: outcomes of {metric}: {error}") from None


def read_all(out: Path | str) -> tuple[list[Record], list[str]]:
    """All records below ``out`` in the order of their paths, and a line for each file that is no valid record."""
    found, problems = [], []
    for path in record_paths(Path(out)):
        try:
            record = read(path)
        except UserError as error:
            problems.append(str(error))
            continue
        if (why := _misplaced(record, path)) is not None:
            problems.append(why)
            continue
        found.append(record)
    return found, problems


def _misplaced(record: Record, path: Path) -> str | None:
    *board, folder = map(unquote, path.parts[-5:-1])
    placed = board == [record.track, record.backbone, record.budget] and folder in (record.contender, _folder_of_before(record))
    if placed and path.name == f"seed{record.seed}.json":
        return None
    on = f"on {record.track}, {record.backbone}, {record.budget}"
    return f"{path} is the record of {record.contender}, seed {record.seed}, {on}: its path must say so"


def _folder_of_before(record: Record) -> str:
    return record.method if "sets" in (record.given or {}) else record.contender


def record_paths(out: Path) -> Iterable[Path]:
    """Files at the depth of records: ``<track>/<backbone>/<budget>/<method>/seed<k>.json``."""
    return sorted(path for path in out.glob("*/*/*/*/seed*.json") if not path.name.startswith("."))
