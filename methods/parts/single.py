"""Losses in single precision: autocast would compute correlations and softmax over thousands of outputs in bfloat16."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def single(criterion: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """``criterion`` of the ``inputs`` in float32 (float64 stays), with autocast off."""
    with torch.autocast(inputs[0].device.type, enabled=False):
        return criterion(*(x if x.dtype == torch.float64 else x.float() for x in inputs))
