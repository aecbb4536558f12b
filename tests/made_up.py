"""Made-up methods, tracks and records, for tests of what is made from records."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import recorded, records
from bench.budget import parse_budget
from bench.cells import Cell, escaped
from bench.contenders import parse_contender
from bench.datasets.found import Member, Registry, given
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.limits import FIRST_TRIAL_SEED
from bench.methods import Method, registry
from bench.recipe import resolve
from bench.records import Record
from bench.running.cell import blank
from bench.versions import PROTOCOL

TRACK = "made_up_track"
TRAIN, TEST = 8000, 2000


@dataclass(frozen=True)
class Contestant:
    """A made-up method: its accuracy at the end, the spread over seeds, and its speed in images a second."""

    name: str
    accuracy: float = 0.6
    spread: float = 0.004
    speed: float = 1000.0
    role: str = "contestant"
    uses_labels: bool = False
    detects: bool = False


FEW = (
    Contestant("alpha", 0.66, speed=900, detects=True),
    Contestant("beta", 0.658, speed=1100),
    Contestant("gamma", 0.60, speed=1500, detects=True),
    Contestant("supervised_made_up", 0.75, role="anchor", uses_labels=True),
)


def install(monkeypatch: pytest.MonkeyPatch, contestants: Iterable[Contestant] = FEW, names: Iterable[str] = (TRACK,)) -> None:
    """Let the harness know the made-up methods and tracks until the test is over."""
    for c in contestants:
        kind = type(c.name, (Method,), {"name": c.name, "summary": "made up", "role": c.role, "uses_labels": c.uses_labels})
        add(monkeypatch, registry(), c.name, kind)
    for name in names:
        add(monkeypatch, tracks(), name, dataclasses.replace(next(iter(tracks().values())), name=name, backbone="resnet18"))


def add(monkeypatch: pytest.MonkeyPatch, members: Registry, name: str, value: object) -> None:
    """Let a registry have ``value`` under ``name`` until the test is over."""
    monkeypatch.setitem(members.members, name, Member(name, "made up", given(value)))


def record(c: Contestant, seed: int, track: str = TRACK, budget: str = "10ep", points: int = 12, status: str = "ok") -> Record:
    """What the harness would have written of ``c``; the same arguments give the same record."""
    method, spec = registry()[c.name], Spec(track)
    recipe = resolve(spec, tracks()[track], TRAIN, method, parse_budget(budget))
    draw = random.Random(f"{c.name} {seed} {track} {budget}")
    made = blank(Cell(recipe, seed))
    made.status = status
    made.environment = {"device": "a made-up machine", "git_sha": "0" * 40, "versions": {"python": "3"}}
    if status != "ok":
        made.error = {"exception": "RuntimeError: made up", "traceback": "Traceback: made up"}
        return made
    seconds = 10 * TRAIN / c.speed
    linear = c.accuracy + 0.003 * math.sin(seed) + draw.gauss(0, c.spread)
    made.metrics = {
        "linear_top1": linear,
        "linear_top5": min(1.0, linear + 0.2),
        "knn_top1": linear - 0.05,
        "knn200_top1": linear - 0.06,
    }
    made.cost = {
        "train_seconds": seconds,
        "detect_seconds": 0.05 * seconds if c.detects else 0.0,
        "eval_seconds": 2.0,
        "images": 10 * TRAIN,
        "steps": 150,
        "images_per_second": c.speed,
        "views_per_image": 2,
        "flops_per_image": 3.5e9,
        "forward_passes": 6.02,
        "detect_flops": 10**13 if c.detects else 0,
        "flops": 280 * 10**12 + (10**13 if c.detects else 0),
        "peak_memory_bytes": 2**31,
        "energy_joules": 40 * seconds,
    }
    made.evaluation = {"linear_strength": 0.001, "knn_k": 20}
    made.data = {"fingerprint": f"{track} as it is", "train": TRAIN, "test": TEST, "classes": 10}
    made.curve = [_point(c, (i + 1) / points, seconds, linear - 0.06, draw) for i in range(points)]
    return made


def _point(c: Contestant, progress: float, seconds: float, end: float, draw: random.Random) -> dict[str, float]:
    point = {
        "progress": progress,
        "step": round(150 * progress),
        "epoch": 10 * progress,
        "loss": 5 - 2 * progress + draw.gauss(0, 0.05),
        "lr": 0.06 * (1 - progress),
        "seconds": seconds * progress,
        "images_per_second": c.speed,
        "held_out_knn_top1": end * (1 - math.exp(-4 * progress)),
    }
    if c.detects:
        point |= {"accepted": progress, "detect_precision": 0.3 + 0.5 * progress, "detect_recall": 0.6 * progress}
    return point


def write(out: Path, made: Iterable[Record]) -> None:
    """Write records where the harness would have written them."""
    for one in made:
        path = out / one.track / one.backbone / one.budget / escaped(one.contender) / f"seed{one.seed}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(one)))


def few(seeds: int = 5) -> list[Record]:
    """The `FEW` on one leaderboard, with a failed cell."""
    made = [record(c, seed) for c in FEW for seed in range(seeds)]
    return [*made, record(FEW[2], seeds, status="diverged")]


def read(out: Path) -> list[Record]:
    return records.read_all(out)[0]


def searched(trials: dict[str, float], finals: dict[str, float]) -> list[Record]:
    """Records of trials of simclr on digits with these accuracies, by contender, and of three seeds of a board with those."""
    seeds = [(name, value, FIRST_TRIAL_SEED) for name, value in trials.items()]
    seeds += [(name, value, seed) for name, value in finals.items() for seed in range(3)]
    made = []
    for name, value, seed in seeds:
        track, settings = "digits" if seed < FIRST_TRIAL_SEED else "digits:dev", dict(parse_contender(name).settings)
        one = Record(track, "test_resnet", "1ep", "simclr", seed, "ok", name, metrics={"linear_top1": value})
        one.data, one.protocol, one.given = {"train": 1000}, PROTOCOL, {"settings": settings}
        one.recipe = recorded.today(one)
        made.append(one)
    return made
