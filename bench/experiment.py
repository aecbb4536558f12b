"""Experiments: files that list what to run, and the claims to test on its records.

title = "..."
tracks = ["shapes:classes=5|20|50|100"]     # a|b|c: one track for each value; the same in contenders
budgets = ["75kimg"]
seeds = 3
[contenders]                                # names for use in claims; a plain list of specs is valid too
base = "simclr"
oracle = "oracle_elim:base=simclr"
[[claims]]
claim = "better"                            # or grows_with (a key of the tracks), equal_within (points), steadier
a = "oracle"
b = "base"
on = "shapes:classes=5"                     # only on these tracks; * is a wildcard
"""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from .budget import parse_budget
from .contenders import parse_contender
from .datasets.base import DataError
from .datasets.foreign import visible
from .datasets.spec import parse_spec
from .errors import UserError
from .folders import expanded
from .limits import MOST_SEEDS
from .settings import nearest

KINDS = ("better", "grows_with", "equal_within", "steadier")
KEYS = ("classes", "fraction", "px")  # options of dataset specs that grows_with can test
SHIPPED = Path(__file__).parent / "experiments"


@dataclass(frozen=True)
class Claim:
    """A statement about contenders ``a`` and ``b`` in one metric, on all tracks that match ``on``."""

    claim: str
    a: str
    b: str
    says: str = ""  # in words, as the authors of the claim would put it
    metric: str = "linear_top1"
    on: str = "*"
    key: str = "classes"  # of grows_with: what a - b grows with
    points: float = 1.0  # of equal_within

    def __str__(self) -> str:
        if self.claim == "grows_with":
            return f"grows_with({self.key}, {self.a} - {self.b})"
        last = f", {self.points:g} point{'s' if self.points != 1 else ''}" if self.claim == "equal_within" else ""
        return f"{self.claim}({self.a}, {self.b}{last})"


@dataclass(frozen=True)
class Experiment:
    """The content of an experiment file; contenders and tracks are specs without ``|``."""

    name: str
    title: str
    contenders: Sequence[str]
    tracks: Sequence[str]
    budgets: Sequence[str]
    seeds: int
    claims: Sequence[Claim] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # of contenders, as the claims use them
    backbone: str | None = None
    about: str = ""

    def spec(self, name: str) -> str:
        """The contender that a claim calls ``name``."""
        return str(parse_contender(self.names.get(name, name)))


def known(beside: Path | None = None) -> dict[str, Path]:
    """Every experiment file by its name, in ``experiments`` of the current folder, of ``beside``, and of the harness."""
    folders = [SHIPPED, Path("experiments"), *([beside / "experiments"] if beside else [])]
    return {path.stem.replace("_", "-"): path for folder in folders for path in visible(folder, "*.toml") if path.is_file()}


def find(name: str, beside: Path | None = None) -> Experiment:
    """The experiment with this name, such as ifnd-on-cifar100, or in this file; `UserError` where it is unknown or invalid."""
    if name.endswith(".toml"):
        return load(expanded(name))
    there = known(beside)
    if name not in there:
        raise UserError(f"unknown experiment {name!r}: {nearest(name, there) if there else 'no folder experiments here'}")
    return load(there[name])


def is_reported(experiment: Experiment, beside: Path) -> bool:
    """Whether the reports on a folder whose parent is ``beside`` have a page of it: its file is in a folder of experiments."""
    path = known(beside).get(experiment.name)
    with contextlib.suppress(UserError):
        return path is not None and load(path) == experiment
    return False


def load(path: Path) -> Experiment:
    """The experiment in a file; `UserError` says in one line what is wrong with it."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is no readable experiment: {error}") from None
    try:
        return _experiment(path.stem.replace("_", "-"), content)
    except (UserError, DataError) as error:
        raise UserError(f"{path}: {error}") from None


def _experiment(name: str, content: dict[str, Any]) -> Experiment:
    if name in ("leaderboard", "index", "pairs", "tuning"):
        raise UserError(f"{name!r} is the name of another file of the report")
    _check_keys("an experiment", Experiment, content, {"name", "names"})
    contenders = content["contenders"]
    names = contenders if isinstance(contenders, dict) else {}
    written = _texts("contenders", list(names.values()) if names else contenders)
    for text in written:
        _check_contender(text, named=bool(names))
    experiment = Experiment(
        **content
        | {
            "name": name,
            "names": names,
            "contenders": _once(str(one) for text in written for one in parse_contender(text).grid()),
            "tracks": _once(str(parse_spec(one)) for text in _texts("tracks", content["tracks"]) for one in _grid(text)),
            "budgets": _once(str(parse_budget(text, "budgets")) for text in _texts("budgets", content["budgets"])),
            "claims": [_claim(one) for one in _list("claims", content.get("claims", []))],
        }
    )
    if type(experiment.seeds) is not int or not 1 <= experiment.seeds <= MOST_SEEDS:
        raise UserError(f"seeds must be a whole number from 1 to {MOST_SEEDS}")
    for one in experiment.claims:
        for side in (one.a, one.b):
            if experiment.spec(side) not in experiment.contenders:
                raise UserError(
                    f"{one} is about {side!r}, which is no contender; {nearest(side, [*names, *experiment.contenders])}"
                )
        if experiment.spec(one.a) == experiment.spec(one.b):
            raise UserError(f"{one} compares {experiment.spec(one.a)} with itself")
        if not any(fnmatchcase(track, one.on) for track in experiment.tracks):
            raise UserError(f"{one} is on {one.on!r}, which is none of the tracks; {nearest(one.on, experiment.tracks)}")
    return experiment


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _check_contender(text: str, named: bool) -> None:
    one = parse_contender(text)
    if one.method == "all" or "*" in one.method:
        raise UserError(f"contenders: {text!r} stands for several methods; list each of them")
    if named and len(one.grid()) > 1:
        raise UserError(f"contenders: {text!r} makes several, and a name can have one; a plain list of specs may have a|b")


def _check_keys(what: str, kind: type, content: Any, hidden: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    known_keys = {f.name for f in fields(kind)} - hidden
    if not isinstance(content, dict):
        raise UserError(f"{what} must be a table")
    for key, value in content.items():
        if key not in known_keys:
            raise UserError(f"unknown key {key!r} of {what}; {nearest(key, sorted(known_keys))}")
        if key in TEXTS and not isinstance(value, str):
            raise UserError(f"{key} of {what} must be text")
    for f in fields(kind):
        if f.name in known_keys and f.default is MISSING and f.default_factory is MISSING and f.name not in content:
            raise UserError(f"{what} needs {f.name}")


TEXTS = ("title", "about", "backbone", "claim", "a", "b", "says", "metric", "on", "key")


def _texts(key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise UserError(f"{key} must be a list of texts")
    return value


def _list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UserError(f"{key} must be a list")
    return value


def _grid(text: str) -> list[str]:
    """One dataset spec for each combination of the values of ``a|b``; the last key varies fastest."""
    parts = [part.partition("=") for part in text.split(",")]
    choices = [[f"{key}{equals}{value}" for value in values.split("|")] for key, equals, values in parts]
    return [",".join(chosen) for chosen in product(*choices)]


def _claim(content: Any) -> Claim:
    _check_keys("a claim", Claim, content)
    claim = Claim(**content)
    if not set(claim.on) & set("*?["):
        claim = replace(claim, on=str(parse_spec(claim.on)))
    if claim.claim not in KINDS:
        raise UserError(f"unknown claim {claim.claim!r}; {nearest(claim.claim, KINDS)}")
    if claim.key not in KEYS:
        raise UserError(f"a claim cannot grow with {claim.key!r}; {nearest(claim.key, KEYS)}")
    if type(claim.points) not in (int, float) or not 0 < claim.points < 100:
        raise UserError("points of a claim must be a number above 0 and below 100")
    return claim
