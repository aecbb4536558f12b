"""What a notebook imports, as ``import bench``: `run`, `leaderboard`, `tune`, `tuned`, `evaluate`, `load_encoder`, `records`."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from . import records
from .errors import Diverged, UserError, reason
from .folders import data_root, expanded

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn

    from .cells import OnExisting
    from .encoders import Opened
    from .running.options import Options


OPTIONAL = ("backbone", "labels", "evaluators", "transfer_to")  # arguments that may be None


def run(
    methods: str | Sequence[str],
    datasets: str | Sequence[str] = "auto",
    budget: str = "200ep",
    seeds: int = 3,
    *,
    out: str | Path = "results",
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    backbone: str | None = None,
    sets: Sequence[str] = (),
    labels: str | Sequence[float] | None = None,
    evaluators: str | Sequence[str] | None = None,
    transfer_to: str | Sequence[str] | None = None,
    on_existing: OnExisting = "skip",
    quiet: bool = False,
) -> pd.DataFrame:
    """Train and evaluate as the command `run` does, with the same texts, or lists of them; returns the `leaderboard` of ``out``.

    A cell that fails is a record with a status, as on the command line. `UserError` or `DataError` where an argument is
    wrong; nothing is written then.
    """
    from .running import session

    cells = dict(methods=methods, datasets=datasets, budget=budget, seeds=seeds, backbone=backbone, sets=sets)
    asked = dict(labels=labels, evaluators=evaluators, transfer_to=transfer_to, device=device, on_existing=on_existing)
    session.run(_options(out, runs, data_dir, **cells, **asked), _console(quiet), dry_run=False)
    return leaderboard(out)


def _options(out: str | Path, runs: str | Path | None, data_dir: str | Path | None, **asked: Any) -> Options:
    """The options that ``asked`` writes: texts as on the command line, or lists of them."""
    from .running.options import read_options

    kept, data = (None if path is None else _path(name, path) for name, path in (("runs", runs), ("data_dir", data_dir)))
    sets = asked.pop("sets")
    seeds = _whole("seeds", asked.pop("seeds"))
    texts: dict[str, Any] = {key: _text(key, value) for key, value in asked.items()}
    return read_options(
        out=_path("out", out),
        runs=kept,
        data_dir=data,
        seeds=seeds,
        sets=[sets] if isinstance(sets, str) else sets or (),
        **texts,
    )


def _text(key: str, value: Any) -> str | None:
    """An argument as the command line has it: a list as one text with commas; `UserError` where it is no text."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, str) or (value is None and key in OPTIONAL):
        return value
    if isinstance(value, int | float | Path) or type(value).__name__ == "device":  # torch's, without torch
        return str(value)
    raise UserError(f"{key} is {value!r:.60}, neither text nor a list of texts")


def _whole(key: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(f"{key} is {value!r:.60}, not a whole number") from None


def _path(key: str, value: Any) -> Path:
    if not isinstance(value, str | Path):
        raise UserError(f"{key} is {value!r:.60}, not a path")
    return expanded(value)


def _console(quiet: bool) -> Console:
    from rich.console import Console

    return Console(quiet=quiet, highlight=False, emoji=False)


def leaderboard(out: str | Path = "results") -> pd.DataFrame:
    """Every contender of every leaderboard below ``out``, one row each; numbers as they are in ``leaderboard.csv``.

    Files that are no valid records are left out, with a warning each.

    track, backbone, budget: the leaderboard. method (a method spec), role, uses_labels: the row.
    stale: why it is not ranked, else empty.
    n: seeds with status ok; not_ok: the others. rank, rank_best, rank_worst: by linear accuracy, with the rank's 95% interval.
    For each metric, as a fraction and not in percent (others in their own unit): its mean over seeds, ``_half`` (of the 95%
    interval), ``_bca_low`` and ``_bca_high`` (bootstrap, from 8 seeds), ``_top`` (no contestant is significantly better).
    test_split_low and test_split_high: Wilson's interval. Costs are medians over seeds, in the units in their names;
    steady_times: they can be compared between seeds; pareto: none is as good and faster.
    """
    from .reporting import leaderboard as boards
    from .reporting import published, tables

    return tables.numbers(boards.build(_read(out), published.read(expanded(out), warnings.warn)))


def _read(out: str | Path) -> list[records.Record]:
    folder = _path("out", out)
    if not folder.is_dir():
        raise UserError(f"{out} is not a folder of records")
    found, problems = records.read_all(folder)
    if problems and not found:
        raise UserError(problems[0])
    for problem in problems:
        warnings.warn(f"{problem}; it is left out", stacklevel=3)
    return found


def tune(
    methods: str | Sequence[str],
    datasets: str | Sequence[str] = "auto",
    trials: int = 8,
    budget: str = "20ep",
    seeds: int = 1,
    *,
    final_budget: str | None = None,
    final_seeds: int = 3,
    out: str | Path = "results",
    runs: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    backbone: str | None = None,
    sets: Sequence[str] = (),
    on_existing: OnExisting = "skip",
    quiet: bool = False,
) -> pd.DataFrame:
    """Search and compare as the command `tune` does, with the same texts, or lists of them; returns `tuned` of ``out``.

    A trial that fails counts as the worst. `UserError` or `DataError` where an argument is wrong; nothing is written then.
    """
    from .budget import parse_budget
    from .running import tune as tune_module

    cells = dict(methods=methods, datasets=datasets, budget=budget, seeds=seeds, backbone=backbone, sets=sets)
    options = _options(out, runs, data_dir, **cells, device=device, on_existing=on_existing)
    final = parse_budget(str(final_budget or budget), "--final-budget")
    numbers = _whole("trials", trials), _whole("final_seeds", final_seeds)
    tune_module.run(tune_module.Tuning(options, numbers[0], final, numbers[1]), _console(quiet), dry_run=False)
    return tuned(out)


def tuned(out: str | Path = "results") -> pd.DataFrame:
    """Every search below ``out``, one row for each leaderboard with its winner; the numbers of ``tuning.md``.

    track, backbone, trial_budget, method: the search, around this method spec. winner: the method spec that won it.
    trials: their number. trials_default, _worst, _median, _best: linear accuracy on the held-out tenth of train, as a fraction.
    trials_failed: those that failed or collapsed. images, flops, seconds: of all trials together.
    budget, n: the leaderboard and the winner's seeds there. default, tuned: mean linear accuracy on the test split; gain: tuned
    minus default, paired by seed and test image; each with ``_half`` of its 95% interval. p_holm: of the gain, over the
    leaderboard. They are missing where default and winner have no records there.
    """
    from .reporting import leaderboard as boards
    from .reporting import tuning

    return tuning.numbers(tuning.of_leaderboards(boards.build(_read(out))))


def load_encoder(path: str | Path) -> nn.Module:
    """The exported encoder in ``path`` in eval mode: float [B, C, H, W] -> [B, num_features]."""
    from . import backbone

    return backbone.load_encoder(_path("path", path))


def evaluate(
    encoder: str | Path | nn.Module,
    dataset: str,
    *,
    evaluators: str | Sequence[str] | None = None,
    transfer_to: str | Sequence[str] | None = None,
    labels: str | Sequence[float] | None = None,
    backbone: str | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    data_dir: str | Path | None = None,
) -> dict[str, float]:
    """The metrics of an encoder on ``dataset``, as the command `evaluate` computes them; accuracies are fractions.

    ``encoder`` is a module float [B, C, H, W] -> [B, D], or text as for the command. Images have the dataset's normalisation,
    and the input size of an exported encoder, else the dataset's. Nothing is written, and a module is not changed.
    `DataError` where the dataset is not ready, `UserError` where the encoder does not fit or its features are not finite.
    """
    from torch import nn

    from .datasets.spec import parse_spec
    from .encoders import open_encoder
    from .environment import choose_device
    from .evaluation.choice import choose, left_out
    from .evaluation.evaluator import evaluate_all
    from .evaluation.features import single_precision
    from .running.external import freeze_on

    place, root, spec = choose_device(str(device)), data_root(data_dir), parse_spec(str(dataset))
    asked = {"--labels": _text("labels", labels), "--transfer-to": _text("transfer_to", transfer_to)}
    chosen = choose(_text("evaluators", evaluators), asked, root)
    for line in left_out():
        warnings.warn(line.removeprefix("warning: "), stacklevel=2)
    if isinstance(encoder, nn.Module):
        if backbone is not None or weights is not None:
            raise UserError("backbone and weights go with an encoder that is a file, not with a module")
        opened = _copied(encoder)
    else:
        opened = open_encoder(str(encoder), backbone, weights)
    try:
        with single_precision(place):
            return dict(evaluate_all(freeze_on(opened, spec, place, root), chosen).metrics)
    except Diverged as error:
        raise UserError(f"{opened.name} on {spec}: {error}") from None


def _copied(network: nn.Module) -> Opened:
    """A copy of a module, opened as an encoder; `UserError` where it cannot be copied."""
    from .encoders import Opened
    from .own_code import in_usual_layout

    name = type(network).__name__
    try:
        copied = copy.deepcopy(network)
    except Exception as error:  # locks, or tensors with a gradient that are no parameters
        raise UserError(f"{name} cannot be copied ({reason(error)}): save its state_dict, and give the file") from None
    return Opened(in_usual_layout(copied), name, name, "", None)
