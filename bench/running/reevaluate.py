"""Adds to a good record the metrics that it lacks, from the exported encoder: what was trained is not trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from .. import environment
from ..backbone import load_encoder
from ..cells import Cell
from ..datasets.loader import stored_on
from ..datasets.store import Splits
from ..errors import UserError
from ..evaluation.evaluator import evaluate_all
from ..evaluation.features import freeze
from ..evaluation.knn import Knn
from ..events import Phase
from ..records import Record
from . import scores
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
    encoder = environment.placed(_encoder(job, cell, splits), device)
    frozen = freeze(encoder, replace(splits, train=stored_on(splits.train, device)), cell.recipe.track, device, job.data_root)
    _check_same(record, evaluate_all(frozen, [Knn()]).metrics)
    found = evaluate_all(frozen, job.evaluators, lambda name: tell(Phase(f"evaluate, {name}", 0.5)))
    packages = scores.packages(job.evaluators, cell.recipe.spec)
    return scores.joined(record, replace(record, **scores.fields(found, job.evaluators), environment=packages))


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
