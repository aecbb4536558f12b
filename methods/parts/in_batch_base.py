"""The base of methods whose pairs come from the batch: the settings and the source of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from .. import base
from ..base import Encoder, Log, Method, Positive, TrainData, Width
from .pairs import InBatch

SIMCLR_TEMPERATURE = 0.2  # solo-learn's CIFAR recipe; 0.2 to 0.5 in use on small images


@dataclass(frozen=True)
class Config(base.Config):
    temperature: Annotated[Positive, Log(0.05, 1)] = SIMCLR_TEMPERATURE
    dimension: Width = 128  # SimCLR, the default setting at the end of section 2


C = TypeVar("C", bound=Config)


class InBatchBase(Method[C]):
    """A method with SimCLR's pairs."""

    def __init__(self, encoder: Encoder, config: C, data: TrainData):
        super().__init__(encoder, config, data)
        self.source = InBatch(encoder, config.dimension)
