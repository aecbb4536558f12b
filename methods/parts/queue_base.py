"""The base of methods whose pairs come from a queue of momentum keys: the settings and the source of pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Self, TypeVar

from .. import base
from ..base import AUTO, LARGE, Count, Encoder, Fraction, Log, Method, Positive, TrainData, Width, chosen
from .pairs import Queue


@dataclass(frozen=True)
class Config(base.Config):
    # auto: the first number, of MoCo's CIFAR demo, and from 64 pixels on the second, of MoCo v2 on ImageNet
    temperature: Annotated[Positive, Log(0.05, 1)] = AUTO  # 0.1, or 0.2
    dimension: Width = 128  # MoCo, section 3.3
    queue_size: Count = AUTO  # 4096, or 65,536; at most half of the train images
    momentum: Fraction = AUTO  # 0.99, or 0.999
    bn_splits: Count = field(default=1, metadata={"later": True})  # parts of a batch that BatchNorm takes apart; CIFAR demo: 8
    symmetric: bool = False  # False: one view is the query, the other the key; True: both are both, for twice the compute

    def resolved(self, images: int, side: int) -> Self:
        temperature, keys, momentum = (0.2, 65_536, 0.999) if side >= LARGE else (0.1, 4096, 0.99)
        made = chosen(self, temperature=temperature, queue_size=max(1, min(keys, images // 2)), momentum=momentum)
        if made.queue_size > images:
            raise ValueError(f"queue_size {made.queue_size} exceeds the {images} train images")
        return made

    def queue(self, encoder: Encoder) -> Queue:
        """The source of pairs with these settings."""
        return Queue(encoder, self.dimension, self.queue_size, self.momentum, self.symmetric, self.bn_splits)


C = TypeVar("C", bound=Config)


class QueueBase(Method[C]):
    """A method with MoCo's pairs."""

    def __init__(self, encoder: Encoder, config: C, data: TrainData):
        super().__init__(encoder, config, data)
        self.source = config.queue(encoder)

    def after_step(self, progress: float) -> None:
        self.source.after_step()
