"""Oracles: IFND's two losses with the true labels in place of pseudo labels. They are a reference for detection, not a bound."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from .base import Encoder, TrainData
from .parts.either_base import Config, EitherBase
from .parts.info_nce import attract, eliminate
from .parts.marked import Marked
from .parts.pairs import Pairs
from .parts.truth import Truth


class Oracle(EitherBase[Config]):
    """The part that both share: every candidate of the anchor's class is known to be a false negative."""

    uses_labels = True
    use: ClassVar[str]  # "dropped" or "attracted": how the learning curve calls their number

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.truth, self.marked = Truth(data), Marked()

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        false = self.truth.same(pairs.anchors, pairs.images)
        self.marked.note(pairs, false)
        return self.contrast(pairs, false)

    def extras(self) -> dict[str, float]:
        return {self.use: float(self.marked.mean)}

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        raise NotImplementedError


class OracleElim(Oracle):
    name, use = "oracle_elim", "dropped"
    summary = "false negatives known from labels and eliminated: reference for ifnd_elim"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return eliminate(pairs, self.config.temperature, false)


class OracleAttract(Oracle):
    name, use = "oracle_attract", "attracted"
    summary = "false negatives known from labels and attracted: reference for ifnd_attract"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return attract(pairs, self.config.temperature, false)
