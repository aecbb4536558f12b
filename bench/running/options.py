"""What a run consists of, and how texts write it."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..budget import Budget, parse_budget
from ..cells import OnExisting
from ..contenders import Contender
from ..datasets.spec import Spec
from ..environment import check_device, choose_device
from ..errors import UserError
from ..evaluation.choice import choose, left_out
from ..folders import data_root, runs_root
from ..limits import MOST_SEEDS
from ..settings import parse_assignments
from . import launch
from .cell import Conditions
from .selection import choose_contenders, choose_datasets, named
from .slurm import Array
from .trackers import check_log


@dataclass(frozen=True)
class Options:
    """What a run consists of, how it is computed, and where it is written."""

    contenders: Sequence[Contender]
    specs: Sequence[Spec]
    budget: Budget
    seeds: int
    conditions: Conditions
    out: Path
    backbone: str | None = None  # None: each track's own
    on_existing: OnExisting = "skip"
    log: str = ""
    cell_timeout: float | None = None  # seconds
    asked_for: Container[str] = ()  # methods that are refused rather than left out where they do not fit the backbone
    workers: Sequence[launch.Worker] = ()  # several processes of this machine; none: this one
    array: Array | None = None  # tasks of a cluster; None: this machine
    said: Sequence[str] = ()  # lines for the user about the choice
    first_seed: int = 0
    begun: float | None = None  # when the run began of which this is a share, by the clock of ``out``; None: it is whole


def read_options(
    methods: str,
    datasets: str,
    budget: str,
    seeds: int,
    out: Path,
    runs: Path | None = None,
    data_dir: Path | None = None,
    device: str = "auto",
    backbone: str | None = None,
    on_existing: OnExisting = "skip",
    sets: Sequence[str] = (),
    log: str = "",
    checkpoint_every: str | None = None,
    cell_timeout: str | None = None,
    labels: str | None = None,
    evaluators: str | None = None,
    transfer_to: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
    array: Array | None = None,
) -> Options:
    """The options that these texts write, in the default folders where none are given.

    `UserError` or `DataError` where a text cannot be read.
    """
    _check(seeds, on_existing)
    check_log(log)
    processes = _workers(workers, gpus, array)
    root = data_root(data_dir)
    specs, said = choose_datasets(datasets, root)
    conditions = Conditions(
        device=_device(device, gpus, array),
        data_root=root,
        runs=runs_root(runs, out),
        checkpoint_every=parse_budget(checkpoint_every, "--checkpoint-every") if checkpoint_every is not None else None,
        evaluators=choose(evaluators, {"--labels": labels, "--transfer-to": transfer_to}, root),
    )
    return Options(
        contenders=choose_contenders(methods, parse_assignments(sets)),
        specs=specs,
        budget=parse_budget(budget, "--budget"),
        seeds=seeds,
        conditions=conditions,
        out=out,
        backbone=backbone,
        on_existing=on_existing,
        log=log,
        cell_timeout=timeout_of(cell_timeout),
        asked_for=named(methods),
        workers=processes,
        array=array,
        said=[*said, *left_out()],
    )


def _check(seeds: int, on_existing: str) -> None:
    """`UserError` where one is out of its range, which the command line's own types do not let happen."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"--seeds must be from 1 to {MOST_SEEDS}")
    if on_existing not in get_args(OnExisting):
        raise UserError(f"--on-existing {on_existing!r} is none of {', '.join(get_args(OnExisting))}")


def _workers(count: int | None, gpus: str | None, array: Array | None) -> Sequence[launch.Worker]:
    """The processes of this machine; `UserError` where a cluster is to do the work as well."""
    if array is not None and (count is not None or gpus is not None):
        raise UserError("--slurm has its own gpus=N for each task; --workers and --gpus are for this machine")
    return launch.workers(count, gpus)


def _device(name: str, gpus: str | None, array: Array | None) -> str:
    """Where this process computes: with an array nowhere, as its tasks choose on their machines."""
    if array is not None:
        check_device(name)
        return "cpu"
    if gpus is not None and name not in ("auto", "cuda"):
        raise UserError(f"--gpus {gpus} and --device {name}: --gpus says by itself where to compute")
    return str(choose_device("cuda" if gpus is not None and name == "auto" else name))


def timeout_of(text: str | None) -> float | None:
    """``--cell-timeout`` in seconds; `UserError` where it is no duration."""
    if text is None:
        return None
    with contextlib.suppress(UserError):
        if (seconds := parse_budget(text, "--cell-timeout").seconds) is not None:
            return seconds
    raise UserError(f"--cell-timeout {text!r} is no duration; what works: 90s, 30min, 1.5h")
