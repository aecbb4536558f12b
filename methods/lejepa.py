"""LeJEPA (Balestriero and LeCun 2025, arXiv 2511.08544): equal views, embeddings of an isotropic Gaussian (SIGReg)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from lightly.loss.lejepa_loss import SIGReg, lejepa_invariance_loss
from lightly.models.modules.heads import LeJEPAProjectionHead
from torch import Tensor

from . import base
from .base import Bounds, Encoder, Fraction, Log, Method, Policy, TrainData, View, Width
from .parts.single import single

Several = Annotated[int, Bounds(2)]


@dataclass(frozen=True)
class Config(base.Config):
    # weight of SIGReg against invariance; lightly's default (authors on small images: 0.02). SIGReg grows with the batch
    regularization: Annotated[Fraction, Log(5e-3, 0.5)] = 0.05
    hidden: Width = 2048  # the authors' code
    dimension: Width = 64  # lightly's default; the authors' example for small images: 16
    directions: Width = 1024  # random directions that embeddings are projected on, drawn at each step; lightly's default
    crops: Several = 2  # number of views, all of the track's policy; the authors: 8, six of them small


class LeJepa(Method[Config]):
    name = "lejepa"
    summary = "LeJEPA: invariance and a Gaussian by random projections (Balestriero and LeCun 2025)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = LeJEPAProjectionHead(encoder.num_features, config.hidden, config.dimension)
        self.gaussian = SIGReg(num_vectors=config.directions)

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return (View(policy, size, config.crops),)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        projected = self.head(self.encoder(torch.cat(views)))
        return single(self.criterion, projected.unflatten(0, (len(views), -1)))

    def criterion(self, z: Tensor) -> Tensor:
        """Weighted mean of SIGReg and of the distances to the views' mean, projections [V, B, D]. Scalar."""
        weight = self.config.regularization
        return weight * self.gaussian(z) + (1 - weight) * lejepa_invariance_loss(all_proj=z, global_proj=z)
