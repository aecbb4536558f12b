"""Anchors that spend no budget: the randomly initialised encoder, and the pixels themselves as features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from . import base
from .base import Count, Encoder, Method, TrainData


class RandomInit(Method[base.Config]):
    name = "random_init"
    summary = "the backbone as it is initialised"
    role = "anchor"
    trains = False


@dataclass(frozen=True)
class Pixels(base.Config):
    side: Count = 32  # larger images are averaged down to it; our choice: CIFAR's size, 3072 numbers in colour


class Shrink(nn.Module):
    """Average pooling to at most ``side`` pixels a side, flattened: float [B, C, H, W] -> [B, C * h * w]."""

    def __init__(self, side: int):
        super().__init__()
        self.side = side

    def forward(self, images: Tensor) -> Tensor:
        height, width = (min(self.side, length) for length in images.shape[-2:])
        small = images if (height, width) == tuple(images.shape[-2:]) else adaptive_avg_pool2d(images, (height, width))
        return small.flatten(1)


class RawPixels(Method[Pixels]):
    name = "raw_pixels"
    summary = "the pixels as features, averaged down to at most 32 a side; no network"
    role = "anchor"
    trains = False

    def __init__(self, encoder: Encoder, config: Pixels, data: TrainData):
        super().__init__(encoder, config, data)
        self.encoder = Shrink(config.side)
