"""MoCo v3 (Chen et al. 2021, arXiv 2104.02057): predict momentum keys against the keys of the batch, without a queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from . import base
from .base import Encoder, Fraction, Log, Method, Policy, Positive, TrainData, View, Width
from .parts.crops import second_solarized
from .parts.info_nce import paired
from .parts.momentum import follow, rising, target_of
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    # the authors' code for a ViT, solo-learn's for CIFAR; the authors' for a ResNet: 1
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.2
    hidden: Width = 1024  # as BYOL's on small images; the authors' code: 4096
    dimension: Width = 256  # the authors' code
    momentum: Fraction = 0.99  # value at the start, rising to 1 at the end; the authors' code
    solarize: Fraction = 0.0  # of the second view; the authors' code: 0.2. 0: both views are the track's


class MoCoV3(Method[Config]):
    name = "mocov3"
    summary = "MoCo v3: predict momentum keys, in-batch negatives (Chen et al. 2021)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        width, hidden, d = encoder.num_features, config.hidden, config.dimension
        # the authors' code for a ResNet: the projector ends with BatchNorm without scale and shift, the predictor with none
        norms = nn.BatchNorm1d(hidden), nn.BatchNorm1d(d, affine=False), nn.BatchNorm1d(hidden)
        self.head = ProjectionHead([(width, hidden, norms[0], nn.ReLU()), (hidden, d, norms[1], None)])
        self.predictor = ProjectionHead([(d, hidden, norms[2], nn.ReLU()), (hidden, d, None, None, False)])
        self.key_encoder, self.key_head = target_of(encoder), target_of(self.head)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return second_solarized(policy, size, config.solarize)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        queries = [self.predictor(self.head(self.encoder(view))) for view in views]
        with torch.no_grad():
            keys = [self.key_head(self.key_encoder(view)) for view in views]
        return single(self.contrast, *queries, *keys)

    def contrast(self, first: Tensor, second: Tensor, first_key: Tensor, second_key: Tensor) -> Tensor:
        """2 t InfoNCE from queries to the other view's keys, both directions summed (algorithm 1). Scalar."""
        t = self.config.temperature
        q1, q2, k1, k2 = (normalize(x, dim=1) for x in (first, second, first_key, second_key))
        return 2 * t * (paired(q1, k2, t) + paired(q2, k1, t))

    def after_step(self, progress: float) -> None:
        momentum = rising(self.config.momentum, progress)
        follow([self.key_encoder, self.key_head], [self.encoder, self.head], momentum)
