"""FNC: False Negative Cancellation (Huynh et al. 2022, arXiv 2011.11765): detection by similarity to support views.

The authors' code: the score of a candidate is its largest cosine to any view of the anchor's image, support views
included; a candidate among the top 10 with a score above 0.7 is a false negative and is attracted; 8 support views. All
ten views are trained on, and by default a memory of 16 batches of momentum keys is searched (temperature 0.1).
This version is smaller: only the support views score, without gradient, and only the two views of the batch's other
images are candidates, at SimCLR's temperature; detection starts with training (``start`` delays it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from .base import Bounds, Count, Encoder, Fraction, Policy, TrainData, View
from .parts import in_batch_base
from .parts.in_batch_base import InBatchBase
from .parts.info_nce import attract, eliminate
from .parts.marked import Marked
from .parts.pairs import Pairs, cosine, project

Cosine = Annotated[float, Bounds(-1, 1)]


@dataclass(frozen=True)
class Config(in_batch_base.Config):
    strategy: Literal["attract", "eliminate"] = "attract"  # the authors' code has no other
    support_views: Count = 8  # the authors' code; each costs a forward pass
    top: Count = 10  # the authors' code
    threshold: Cosine = 0.7  # the authors' code
    start: Fraction = 0.0  # share of the budget before the first detection; our choice


class Fnc(InBatchBase[Config]):
    name = "fnc"
    summary = "FNC: images similar to support views attracted or eliminated (Huynh et al. 2022)"

    active: Tensor

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.marked = Marked()
        self.register_buffer("active", torch.tensor(config.start == 0))

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return (View(policy, size, 2 + config.support_views),)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views[:2], index)
        false = self.alike(pairs, views[2:]) & self.active
        self.marked.note(pairs, false)
        contrast = attract if self.config.strategy == "attract" else eliminate
        return contrast(pairs, self.config.temperature, false)

    @torch.no_grad()
    def alike(self, pairs: Pairs, support: list[Tensor]) -> Tensor:
        """Which candidates are detected as false negatives by the anchor's support views: bool [A, M]."""
        z = [project(self.source.encoder, self.source.head, view) for view in support]
        score = torch.stack([cosine(view, pairs.keys) for view in z]).amax(0).repeat(2, 1)
        score = score.masked_fill(~pairs.negative, -2.0)
        top = score.topk(min(self.config.top, score.shape[1]), dim=1).indices
        return torch.zeros_like(pairs.negative).scatter_(1, top, True) & (score > self.config.threshold)

    def extras(self) -> dict[str, float]:
        return {"attracted" if self.config.strategy == "attract" else "dropped": float(self.marked.mean)}

    def after_step(self, progress: float) -> None:
        self.active.fill_(progress >= self.config.start)
