"""IFND: Incremental False Negative Detection for Contrastive Learning (Chen et al. 2022, arXiv 2106.03719).

| part | source |
| --- | --- |
| k-means on the embeddings, repeated as training goes on | the paper states it |
| the most confident pseudo labels are trusted first, more of them later | the paper states it |
| several numbers of clusters at once (hierarchical) | the paper states it |
| false negatives are eliminated, or attracted | the paper states it |
| base MoCo v2 | our reading, from summaries of the paper; `base=simclr` is ours |
| the momentum encoder's projections of un-augmented images are clustered | our reading; on a SimCLR base the encoder's own |
| confidence: softmax over centroids of cosine / temperature | our reading; the temperature, cosine and margin are ours |
| the accepted share grows linearly from 0 to 1 | our reading; step, constant, warm-up and end value are ours |
| the loss is the mean over the label sets | our reading |
| cluster counts N/500, N/200, N/100 | our choice; the paper's are not known here |
| detection every 2% of the budget, before an epoch | our choice; "about every epoch" is a recollection |
| MoCo's CIFAR settings | our choice; the paper's CIFAR settings are not known here |
| `features=backbone`: cluster the backbone's features, before the head | ours, to compare spaces |
| `features=bank`: cluster projections kept from training steps, at no cost | ours: older networks, augmented views |

With the bank, an image that training has not seen yet is in no cluster and is never accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import torch
from torch import Tensor

from .base import AUTO, Counts, Embed, Encoder, Every, Fraction, Linear, Positive, PseudoLabelView, TrainData
from .parts import either_base
from .parts.bank import Bank
from .parts.either_base import EitherBase
from .parts.info_nce import attract, eliminate
from .parts.marked import Marked
from .parts.pairs import Pairs
from .parts.pseudo_labels import Confidence, PseudoLabels, Schedule, acceptance, cluster_counts
from .parts.timer import Timer

OFTEN = Every("0.02")


@dataclass(frozen=True)
class Config(either_base.Config):
    clusters: Counts = AUTO  # auto: N/500, N/200, N/100, our choice: 100, 250, 500 on CIFAR
    confidence: Confidence = "softmax"  # our reading
    confidence_temperature: Positive = 0.1  # our choice: the temperature of MoCo's loss
    schedule: Schedule = "linear"  # our reading
    warmup: Fraction = 0.0  # share of the budget before the first acceptance; our choice
    # accepted share at the end of the budget; our reading. 0: labels are found and none is used, as a control
    accept_end: Annotated[Fraction, Linear(0.25, 1)] = 1.0
    detect_every: Every = OFTEN  # share of the budget, or epochs as in 2ep; our choice
    features: Literal["pass", "backbone", "bank"] = "pass"  # projections of a pass over the train images: our reading

    def resolved(self, images: int, side: int) -> Self:
        return replace(super().resolved(images, side), clusters=cluster_counts(self.clusters, images))


class Ifnd(EitherBase[Config]):
    """The part that elimination and attraction share: detection before some epochs, and the mean over label sets."""

    use: ClassVar[str]  # "dropped" or "attracted": how the learning curve calls their number

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.labels = PseudoLabels(data.images, config.clusters)
        self.marked = Marked()
        self.timer = Timer(config.detect_every)
        self.bank = Bank(data.images, config.dimension) if config.features == "bank" else None

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        if self.bank is not None:
            self.bank.store(index, pairs.keys[: len(index)])  # one view of each image
        false = self.labels.same(pairs.anchors, pairs.images)
        self.marked.note(pairs, false)
        return torch.stack([self.contrast(pairs, of_set) for of_set in false]).mean()

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        raise NotImplementedError

    def before_epoch(self, progress: float, embed: Embed) -> None:
        c = self.config
        rate = acceptance(c.schedule, progress, c.warmup, c.accept_end)
        enough = self.bank is None or int(self.bank.seen.sum()) >= max(c.clusters)
        if (rate > 0 or c.accept_end == 0) and enough and self.timer.due(progress):
            features, seen = self._features(embed)
            self.labels.detect(features, rate, c.confidence, c.confidence_temperature, seen)

    def _features(self, embed: Embed) -> tuple[Tensor, Tensor | None]:
        """The features that are clustered, [N, D], and which images have any, bool [N]; None where all have."""
        if self.bank is not None:
            return self.bank.features, self.bank.seen
        encoder, _ = network = self.source.target
        return embed(encoder if self.config.features == "backbone" else network), None

    def extras(self) -> dict[str, float]:
        return {"accepted": self.labels.accepted, self.use: float(self.marked.mean)}

    def pseudo_labels(self) -> PseudoLabelView:
        return self.labels.view()


class IfndElim(Ifnd):
    name, use = "ifnd_elim", "dropped"
    summary = "IFND, detected false negatives eliminated (Chen et al. 2022)"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return eliminate(pairs, self.config.temperature, false)


class IfndAttract(Ifnd):
    name, use = "ifnd_attract", "attracted"
    summary = "IFND, detected false negatives attracted (Chen et al. 2022)"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return attract(pairs, self.config.temperature, false)
