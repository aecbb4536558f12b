"""MoCo v2 (He et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297): contrast with a queue of keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from . import base
from .base import LARGE, Count, CountOrAuto, Encoder, Fraction, Method, NonNegative, TrainData
from .parts.info_nce import info_nce
from .parts.pairs import Queue


@dataclass(frozen=True)
class Config(base.Config):
    # 0: as MoCo's CIFAR demo, and from 64 pixels on as MoCo v2 on ImageNet
    temperature: NonNegative = 0.0  # 0.1, or 0.2
    dimension: Count = 128  # MoCo, section 3.3
    queue_size: CountOrAuto = 0  # 4096, or 65,536; at most half of the train images
    momentum: Fraction = 0.0  # 0.99, or 0.999
    symmetric: bool = False  # False: one view queries, one is the key; True doubles the compute of an epoch

    def resolved(self, images: int, side: int) -> Self:
        if self.queue_size > images:
            raise ValueError(f"queue_size {self.queue_size} exceeds the {images} train images")
        temperature, keys, momentum = (0.2, 65_536, 0.999) if side >= LARGE else (0.1, 4096, 0.99)
        return replace(
            self,
            temperature=self.temperature or temperature,
            queue_size=self.queue_size or max(1, min(keys, images // 2)),
            momentum=self.momentum or momentum,
        )


class MoCo(Method):
    name = "moco"
    summary = "MoCo v2: InfoNCE against a queue of momentum keys (He et al. 2020)"
    config_type = Config

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.config = config
        self.source = Queue(encoder, config.dimension, config.queue_size, config.momentum, config.symmetric)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        return info_nce(self.source.pairs(views, index), self.config.temperature)

    def after_step(self, progress: float) -> None:
        self.source.after_step()
