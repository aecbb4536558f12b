"""The base of methods that extend either MoCo or SimCLR: the setting ``base``, the defaults it implies, the source of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeVar

from ..base import Encoder, Method, TrainData, chosen
from . import in_batch_base, queue_base
from .pairs import InBatch, Queue


@dataclass(frozen=True)
class Config(queue_base.Config):
    # temperature=auto takes that of the base, so that the method and its base have equal settings
    base: Literal["moco", "simclr"] = "moco"  # the settings of the queue apply to moco alone

    def resolved(self, images: int, side: int) -> Self:
        own = chosen(self, temperature=in_batch_base.SIMCLR_TEMPERATURE) if self.base == "simclr" else self
        return super(Config, own).resolved(images, side)


C = TypeVar("C", bound=Config)


class EitherBase(Method[C]):
    """A method whose pairs come from the batch or from a queue, as ``config.base`` says."""

    def __init__(self, encoder: Encoder, config: C, data: TrainData):
        super().__init__(encoder, config, data)
        self.source: InBatch | Queue = config.queue(encoder) if config.base == "moco" else InBatch(encoder, config.dimension)

    def after_step(self, progress: float) -> None:
        self.source.after_step()
