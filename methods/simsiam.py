"""SimSiam (Chen and He 2021, arXiv 2011.10566): predict the other view's projection behind a stop-gradient."""

from __future__ import annotations

from dataclasses import dataclass

from lightly.models.modules.heads import ProjectionHead, SimSiamPredictionHead
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from . import base
from .base import Encoder, Group, Method, TrainData, Width
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    dimension: Width = 2048  # of projections and of the projector's hidden layer; section 3
    bottleneck: Width = 512  # hidden units of the predictor; section 3


class SimSiam(Method[Config]):
    name = "simsiam"
    summary = "SimSiam: predict the other view behind a stop-gradient (Chen and He 2021)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        width, d = encoder.num_features, config.dimension
        # two layers: appendix D, for CIFAR; three on ImageNet
        self.head = ProjectionHead([(width, d, nn.BatchNorm1d(d), nn.ReLU()), (d, d, nn.BatchNorm1d(d, affine=False), None)])
        self.predictor = SimSiamPredictionHead(d, config.bottleneck, d)

    def groups(self) -> list[Group]:
        return [Group(list(self.predictor.parameters()), scheduled=False)]  # a constant learning rate: the authors' code

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        projected = [self.head(self.encoder(view)) for view in views]
        predicted = [self.predictor(z) for z in projected]
        return single(simsiam, *predicted, *projected)


def simsiam(first: Tensor, second: Tensor, first_z: Tensor, second_z: Tensor) -> Tensor:
    """Mean over images and directions of -cos(prediction, the other view's projection without gradient). Scalar."""
    cosines = cosine_similarity(first, second_z.detach()) + cosine_similarity(second, first_z.detach())
    return -0.5 * cosines.mean()
