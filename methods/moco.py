"""MoCo v2 (He et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297): contrast with a queue of keys."""

from __future__ import annotations

from torch import Tensor

from .parts.info_nce import info_nce
from .parts.queue_base import Config, QueueBase


class MoCo(QueueBase[Config]):
    name = "moco"
    summary = "MoCo v2: InfoNCE against a queue of momentum keys (He et al. 2020)"

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return info_nce(self.source.pairs(views, index), self.config.temperature)
