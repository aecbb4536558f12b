"""What methods share whose pairs come from the batch: the settings and the source of pairs."""

from __future__ import annotations

from dataclasses import dataclass

from .. import base
from ..base import Count, Encoder, Method, Positive, TrainData
from .pairs import InBatch


@dataclass(frozen=True)
class Config(base.Config):
    temperature: Positive  # every paper has its own
    dimension: Count = 128  # SimCLR, section 4.2


class InBatchBase(Method):
    """A method on SimCLR's pairs. Its ``config`` is what the method's own ``Config`` made of it."""

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.config = config
        self.source = InBatch(encoder, config.dimension)
