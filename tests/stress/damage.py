"""Random corruptions of records and checkpoints."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch
from common import Tally

from bench import records
from bench.evaluation.clustering import Clustering
from bench.evaluation.evaluator import description
from bench.reporting import listing, report
from bench.training import checkpoint
from tests import edited

CPU = torch.device("cpu")


def _flip(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _zero(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    size = min(len(content) - start, rng.randrange(1, 512))
    return content[:start] + bytes(size) + content[start + size :]


def _noise(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content))
    return content[:start] + rng.randbytes(rng.randrange(1, 64)) + content[start + 1 :]


KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut off": lambda content, rng: content[: rng.randrange(len(content))],
    "bit flip": _flip,
    "zeroed": _zero,
    "noise": _noise,
    "foreign": lambda content, rng: rng.choice([b"[]", b"{}", b"null", b"[" * 100_000, b"\xff\xfe", b'{"schema_version": 1}']),
    "repeated": lambda content, rng: content + content,
}


def corrupted(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """The kind of a random corruption, and what it makes of ``content``: always something else."""
    while True:
        kind = rng.choice(list(KINDS))
        bad = KINDS[kind](content, rng)
        if bad != content:
            return kind, bad


def some_record(seed: int) -> records.Record:
    curve = [{"progress": i / 10, "loss": 1.5 / (i + 1), "seconds": i * 0.5} for i in range(10)]
    metrics = {"linear_top1": 0.5, "linear_top5": 0.75, "knn_top1": 0.25, "knn200_top1": 0.25}
    cost = {"train_seconds": 1.0, "images": 100, "steps": 10, "images_per_second": 100.0, "detect_seconds": 0.0}
    inside = {"recipe": {"config": {"x": 1}, "training": {"lr": 0.1}}, "given": {"settings": {"lr": "0.1"}}, "data": {"test": 4}}
    metrics["cluster_nmi"] = 0.5
    inside["evaluators"] = description([Clustering()])
    return records.Record("t", "b", "1ep", "m", seed, "ok", "m", metrics=metrics, cost=cost, curve=curve, **inside)


def of_records(folder: Path, tries: int, rng: random.Random) -> Tally:
    """Each corruption is named or harmless: no traceback, the file is left as it is, and all other records are read."""
    tally, named = Tally("damaged record"), 0
    paths = [folder / f"t/b/1ep/m/seed{seed}.json" for seed in range(4)]
    for seed, path in enumerate(paths):
        records.write(some_record(seed), path)
    sound = [path.read_bytes() for path in paths]
    for i in range(tries):
        victim = i % len(paths)
        kind, bad = corrupted(sound[victim], rng)
        paths[victim].write_bytes(bad)
        try:
            found, problems = records.read_all(folder)
            report.render(folder)
            listing.results(folder, lambda line: None)
            others = {record.seed: record for record in found if record.seed != victim}
            whole = len(others) == len(paths) - 1 and all(others[seed] == some_record(seed) for seed in others)
            told = len(problems) == 1 and str(paths[victim]) in problems[0]
            survived = whole and (told or len(found) == len(paths)) and paths[victim].read_bytes() == bad
            named += told
        except Exception as error:
            survived, kind = False, f"{kind}: {error!r}"
        tally.hold(survived, f"{kind} of {paths[victim]}: {bad[:200]!r}")
        paths[victim].write_bytes(sound[victim])
    tally.note = f"{named} named, the others still are valid records"
    return tally


def of_edits(folder: Path, share: float, rng: random.Random) -> Tally:
    """Each wrong value in each field of a record is named in one line, or shown without a traceback."""
    tally, named = Tally("edited record"), 0
    path, whole = folder / "t/b/1ep/m/seed0.json", json.loads(records.dumps(some_record(0)))
    path.parent.mkdir(parents=True)
    for place in edited.places(whole):
        for value in edited.WRONG:
            if rng.random() > share:
                continue
            path.write_text(json.dumps(edited.changed(whole, place, value)))
            found, problems = records.read_all(folder)
            try:
                edited.shown(found)
                survived = len(problems) == 1 - len(found) and all(str(path) in line for line in problems)
            except Exception as error:
                survived, problems = False, [repr(error)]
            named += not found
            tally.hold(survived, f"{place} = {value!r}: {problems}")
    tally.note = f"{named} named, the others still are valid records"
    return tally


def of_checkpoints(folder: Path, tries: int, rng: random.Random) -> Tally:
    """A damaged checkpoint is noticed and the one before it used; where both are damaged, none is."""
    tally = Tally("damaged checkpoint")
    for i in range(tries):
        path = folder / str(i) / "checkpoint"
        for step in (1, 2):
            state = {"step": step, "weights": torch.randn(64), "rng": torch.get_rng_state(), "cuda_rng": None}
            checkpoint.save(path, "cell", state)
        both = i % 4 == 0
        for victim in (path, checkpoint.previous(path)) if both else (path,):
            kind, bad = corrupted(victim.read_bytes(), rng)
            victim.write_bytes(bad)
        said: list[str] = []
        try:
            found = checkpoint.load(path, "cell", CPU, said.append)
            survived = len(said) == 1 + both and (found is None if both else found is not None and found["step"] == 1)
        except Exception as error:
            survived, kind = False, f"{kind}: {error!r}"
        tally.hold(survived, f"{kind} of {path}: {said}")
    tally.note = "the one before it was used"
    return tally
