"""The content of a record: its fields, their types, and the checks that follow from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, get_type_hints

from .validation import Count, Fraction, Natural, NonNegative, check_of

SCHEMA_VERSION = 1
Status = Literal["ok", "failed", "diverged", "out_of_memory", "timeout", "killed"]


class Costs(TypedDict, total=False):
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
    packages: dict[str, str]


class _Column(TypedDict):
    key: str
    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    note: str


class Column(_Column, total=False):
    """What a column of an evaluator means, as `Metric` has it; records of earlier versions lack what is new."""

    lowest: float


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
    cost: dict[str, Any] = field(default_factory=dict)  # see `Costs`; a record that is read is checked against these types
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


INSIDE: dict[str, Any] = {  # the types inside a record's fields, as far as they are fixed
    "cost": Costs,
    "recipe": Settings,
    "given": Given | None,
    "data": Data,
    "environment": Environment,
    "curve": list[Point],
    "evaluators": dict[str, Described],
}
CHECKS = {key: check_of(hint) for key, hint in (get_type_hints(Record, include_extras=True) | INSIDE).items()}
AMOUNTS = check_of(dict[str, NonNegative | None])  # the type of costs that `Costs` does not list
