"""NNCLR (Dwibedi et al. 2021, arXiv 2104.14548): an image's nearest neighbour in a support set is its positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

from lightly.models.modules.heads import NNCLRPredictionHead, NNCLRProjectionHead
from torch import Tensor
from torch.nn.functional import normalize

from . import base
from .base import AUTO, LARGE, Count, Encoder, Log, Method, Positive, TrainData, Width, chosen
from .parts.fifo import SupportSet
from .parts.info_nce import paired
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.1  # section 4.1
    hidden: Width = 2048  # of the projector; section 4.1
    predictor: Width = 4096  # hidden units of the predictor; section 4.1
    dimension: Width = 256  # section 4.1
    queue_size: Count = AUTO  # auto: 4096, lightly's for CIFAR, or 65,536 from 64 pixels on; at most half of the train images

    def resolved(self, images: int, side: int) -> Self:
        made = chosen(self, queue_size=max(1, min(65_536 if side >= LARGE else 4096, images // 2)))
        if made.queue_size > images:
            raise ValueError(f"queue_size {made.queue_size} exceeds the {images} train images")
        return made


class Nnclr(Method[Config]):
    name = "nnclr"
    summary = "NNCLR: the nearest neighbour in a support set is the positive (Dwibedi et al. 2021)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.head = NNCLRProjectionHead(encoder.num_features, config.hidden, config.dimension)
        self.predictor = NNCLRPredictionHead(config.dimension, config.predictor, config.dimension)
        self.support = SupportSet(config.queue_size, config.dimension)
        self.latest: Tensor | None = None  # the last batch's projections, until they enter the support set

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        projected = [self.head(self.encoder(view)) for view in views]
        first, second = (normalize(self.predictor(z).float(), dim=1) for z in projected)
        first_z, second_z = (normalize(z.detach().float(), dim=1) for z in projected)
        neighbours = [single(self.support.nearest, z) for z in (first_z, second_z)]
        self.latest = first_z
        return single(self.contrast, first, second, *neighbours)

    def after_step(self, progress: float) -> None:
        if self.latest is not None:
            self.support.add(self.latest)
            self.latest = None

    def contrast(self, first: Tensor, second: Tensor, first_neighbour: Tensor, second_neighbour: Tensor) -> Tensor:
        """Mean over directions of InfoNCE from the neighbours to the other view's predictions (eq. 3 and 4). Scalar."""
        t = self.config.temperature
        return (paired(first_neighbour, second, t) + paired(second_neighbour, first, t)) / 2
