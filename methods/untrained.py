"""Anchors that spend no budget: what an encoder gives before training, and what the pixels give by themselves."""

from __future__ import annotations

from torch import nn

from .base import Config, Encoder, Method, TrainData


class RandomInit(Method[Config]):
    name = "random_init"
    summary = "the backbone as it is initialised"
    role = "anchor"
    trains = False


class RawPixels(Method[Config]):
    name = "raw_pixels"
    summary = "the pixels themselves, flattened; no network"
    role = "anchor"
    trains = False

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.encoder = nn.Flatten()
