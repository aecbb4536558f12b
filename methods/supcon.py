"""SupCon (Khosla et al. 2020, arXiv 2004.11362): every view of the anchor's class in the batch is a positive. Uses labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from .base import Encoder, Log, Positive, TrainData
from .parts import in_batch_base
from .parts.in_batch_base import InBatchBase
from .parts.info_nce import attract
from .parts.truth import Truth


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    temperature: Annotated[Positive, Log(0.05, 1)] = 0.1  # SupCon, section 4


class SupCon(InBatchBase[Config]):
    name = "supcon"
    summary = "SupCon, L_out: all images of the class in the batch are positives (Khosla et al. 2020)"
    uses_labels = True

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.truth = Truth(data)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        return attract(pairs, self.config.temperature, self.truth.same(pairs.anchors, pairs.images))
