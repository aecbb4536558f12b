"""SwAV (Caron et al. 2020, arXiv 2006.09882): predict the other view's soft assignment to prototypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from lightly.loss import SwaVLoss
from lightly.models.modules.heads import SwaVProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from . import base
from .base import Encoder, Fraction, Group, Log, Method, Number, Policy, Positive, TrainData, View, Width
from .parts.crops import multi_crop
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    hidden: Width = 512  # of the projector; lightly's CIFAR-10 benchmark. The authors: 2048
    dimension: Width = 128  # the authors' code
    prototypes: Width = 512  # lightly's CIFAR-10 benchmark; the authors: 3000 for 1000 classes
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.1  # the authors' code
    epsilon: Positive = 0.05  # of Sinkhorn's three iterations; the authors' code
    frozen: Fraction = 0.005  # share of the budget with fixed prototypes: the first of 200 epochs, the authors' code
    local_crops: Number = 0  # small views in addition to the two; solo-learn's CIFAR recipe has none, the authors 6


class SwAV(Method[Config]):
    name = "swav"
    summary = "SwAV: swapped prediction of balanced assignments (Caron et al. 2020)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = SwaVProjectionHead(encoder.num_features, config.hidden, config.dimension)
        self.prototypes = nn.Linear(config.dimension, config.prototypes, bias=False)  # as the authors; lightly's have a bias
        self.criterion = SwaVLoss(config.temperature, sinkhorn_epsilon=config.epsilon)
        self.after_step(0.0)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return multi_crop(policy, size, config.local_crops)

    def groups(self) -> list[Group]:
        return [Group(list(self.prototypes.parameters()), lambda progress: float(progress >= self.config.frozen))]

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        sizes = [views[:2], views[2:]] if views[2:] else [views]
        features = [self.encoder(torch.cat(of_size)) for of_size in sizes]
        projected = self.head(torch.cat(features))  # at once, as the authors: its BatchNorm sees the views of both sizes
        return single(self.contrast, *projected.split([len(part) for part in features]))

    def contrast(self, *projected: Tensor) -> Tensor:
        """Cross-entropy of each view to the codes of the other large views: projections [2B, D] and [local B, D]. Scalar."""
        count = len(projected[0]) // 2
        cosines = [self.prototypes(normalize(z, dim=1)).split(count) for z in projected]
        return self.criterion(list(cosines[0]), list(cosines[1]) if cosines[1:] else []).squeeze()

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        self.prototypes.weight.copy_(normalize(self.prototypes.weight, dim=1))
