"""Adds to a good record the metrics that it lacks, from the exported encoder: what was trained is not trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..backbone import load_encoder
from ..cells import Cell
from ..datasets.loader import stored_on
from ..datasets.store import Splits
from ..errors import UserError
from ..evaluation.evaluator import description, evaluate_all, merged
from ..evaluation.features import freeze
from ..evaluation.knn import Knn
from ..events import Phase
from ..records import Record
from .cell import Job, Tell, build_method

FAR = 0.005  # in kNN accuracy, beyond what another device or library makes of one encoder


def run(job: Job, tell: Tell = lambda event: None) -> Record:
    """The record ``job.completes`` with the metrics of ``job.evaluators`` as well; nothing else of it changes.

    Raises `UserError` where the encoder is not the record's, and any error of loading it.
    """
    record = job.completes
    assert record is not None
    splits, cell = job.splits(), job.cell
    device = torch.device(job.device)
    tell(Phase("evaluate", 0.0))
    encoder = _encoder(job, cell, splits).to(device).to(memory_format=torch.channels_last)
    frozen = freeze(encoder, replace(splits, train=stored_on(splits.train, device)), cell.recipe.track, device, job.data_root)
    _check_same(record, evaluate_all(frozen, [Knn()]).metrics)
    found = evaluate_all(frozen, job.evaluators, lambda name: tell(Phase(f"evaluate, {name}", 0.5)))
    return joined(record, found.metrics, found.chosen, description(job.evaluators))


def joined(record: Record, metrics: Mapping[str, float], chosen: Mapping[str, Any], described: Mapping[str, Any]) -> Record:
    """``record`` with what was found by further evaluators as well."""
    return replace(
        record,
        metrics=merged(record.metrics, metrics),
        evaluation=merged(record.evaluation, chosen),
        evaluators=_described(record.evaluators, described),
    )


def _described(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What both say of evaluators: one that gave some of its columns before and others now has both."""
    found = {**old, **new}
    for name in old.keys() & new.keys():
        if old[name]["version"] == new[name]["version"]:
            found[name] = {**new[name], "columns": merged(old[name]["columns"], new[name]["columns"])}
    return dict(sorted(found.items()))


def _encoder(job: Job, cell: Cell, splits: Splits) -> nn.Module:
    """The exported encoder; that of a method which does not train follows from its seed."""
    if cell.recipe.method.trains:
        return load_encoder(job.runs / cell.encoder_path)
    return build_method(cell, splits).encoder


def _check_same(record: Record, found: Mapping[str, float]) -> None:
    """Folders of records may share one of encoders, where a later run has replaced this one."""
    for key, value in found.items():
        if abs(value - record.metrics.get(key, value)) > FAR:
            raise UserError(f"the exported encoder is of another run: its {key} is {value:.4f}, not {record.metrics[key]:.4f}")
