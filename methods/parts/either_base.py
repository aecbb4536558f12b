"""What methods share that may stand on MoCo or on SimCLR: the setting, its consequences, the source of pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

from .. import moco, simclr
from ..base import Encoder, Method, TrainData
from .pairs import InBatch, Queue


@dataclass(frozen=True)
class Config(moco.Config):
    # temperature 0 is the base's own, so that a method differs from its base in nothing else
    base: Literal["moco", "simclr"] = "moco"  # the queue's settings are for moco alone

    def resolved(self, images: int, side: int) -> Self:
        resolved = super().resolved(images, side)
        if self.base == "simclr" and not self.temperature:
            return replace(resolved, temperature=simclr.Config.temperature)
        return resolved


class EitherBase(Method):
    """A method whose pairs come from the batch or from a queue, as ``config.base`` says."""

    config_type = Config

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.source: InBatch | Queue
        if config.base == "moco":
            self.source = Queue(encoder, config.dimension, config.queue_size, config.momentum, config.symmetric)
        else:
            self.source = InBatch(encoder, config.dimension)

    def after_step(self, progress: float) -> None:
        self.source.after_step()
