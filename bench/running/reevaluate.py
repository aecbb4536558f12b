"""Adds to a good record the metrics that it lacks, from the exported encoder: what was trained is not trained again."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ..backbone import load_encoder
from ..cells import Cell
from ..datasets.loader import place
from ..datasets.store import Splits
from ..errors import UserError
from ..evaluation import labels, protocol
from ..records import Record
from .cell import Job, Tell, build_method, encode

FAR = 0.005  # in kNN accuracy, beyond what another device or library makes of one encoder


def run(job: Job, tell: Tell = lambda event: None) -> Record:
    """The record ``job.completes`` with the metrics of ``job.labels`` as well; nothing else of it changes.

    Raises `UserError` where the encoder is not the one that the record tells of, and whatever loading it raises.
    """
    record = job.completes
    assert record is not None
    splits, cell = job.splits(), job.cell
    device = torch.device(job.device)
    tell({"phase": "evaluate", "progress": 0.0})
    encoder = _encoder(job, cell, splits).to(device).to(memory_format=torch.channels_last)
    stores = (place(splits.train, device), splits.test)
    train, test = (encode(encoder, store, cell.recipe, device) for store in stores)
    _check_same(record, protocol.knn_metrics(train, test, splits.classes).metrics)
    metrics, chosen = labels.evaluate(train, test, splits.classes, job.labels)
    return replace(record, metrics=labels.merged(record.metrics, metrics), evaluation=labels.merged(record.evaluation, chosen))


def _encoder(job: Job, cell: Cell, splits: Splits) -> nn.Module:
    """The exported encoder; that of a method which does not train follows from its seed."""
    if cell.recipe.method.trains:
        return load_encoder(job.runs / cell.encoder_path)
    return build_method(cell, splits).encoder


def _check_same(record: Record, found: dict[str, float]) -> None:
    """Folders of records may share one of encoders, where a later run has replaced this one."""
    for key, value in found.items():
        if abs(value - record.metrics.get(key, value)) > FAR:
            raise UserError(f"the exported encoder is of another run: its {key} is {value:.4f}, not {record.metrics[key]:.4f}")
