"""SimCLR (Chen et al. 2020, arXiv 2002.05709): contrast the two views of an image with the rest of the batch."""

from __future__ import annotations

from torch import Tensor

from .parts.in_batch_base import Config, InBatchBase
from .parts.info_nce import info_nce


class SimCLR(InBatchBase[Config]):
    name = "simclr"
    summary = "SimCLR: in-batch InfoNCE (Chen et al. 2020)"
    baseline = True

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return info_nce(self.source.pairs(views, index), self.config.temperature)
