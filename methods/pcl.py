"""PCL: Prototypical Contrastive Learning (Li et al. 2021, arXiv 2005.04966): contrast with cluster centroids as well as keys.

The authors' code: MoCo's loss plus, over several clusterings, InfoNCE between a query and its cluster's centroid against
the other centroids, each with a temperature of its own (ProtoNCE); the momentum encoder's features of un-augmented
images are clustered every epoch after the first 20 of 200. Our choices: the cluster counts are IFND's
(theirs are for ImageNet); all other centroids are negatives (they draw 16,384 of them); k-means starts once, not five times;
the temperature of MoCo's part is MoCo's 0.1 (theirs is 0.2, of both parts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from .base import AUTO, Counts, Embed, Encoder, Every, Fraction, NonNegative, Positive, PseudoLabelView, TrainData
from .parts import queue_base
from .parts.info_nce import info_nce
from .parts.prototypes import Prototypes
from .parts.pseudo_labels import cluster_counts
from .parts.queue_base import QueueBase
from .parts.timer import Timer

EVERY_EPOCH = Every("1ep")


@dataclass(frozen=True)
class Config(queue_base.Config):
    clusters: Counts = AUTO  # auto: N/500, N/200, N/100, as IFND; an author guesses 100 to 1000 for CIFAR-10 (salesforce/PCL#4)
    cluster_every: Every = EVERY_EPOCH  # the authors' code
    warmup: Fraction = 0.1  # share of the budget before the first clustering: 20 of 200 epochs, the authors' code
    prototype_temperature: Positive = 0.2  # mean of the clusters' temperatures; the authors' code
    alpha: NonNegative = 10.0  # smooths the concentration of small clusters; the authors' code

    def resolved(self, images: int, side: int) -> Self:
        return replace(super().resolved(images, side), clusters=cluster_counts(self.clusters, images))


class Pcl(QueueBase[Config]):
    name = "pcl"
    summary = "MoCo plus contrast with the centroids of several clusterings (Li et al. 2021)"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.prototypes = Prototypes(data.images, config.dimension, config.clusters)
        self.timer = Timer(config.cluster_every)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        return info_nce(pairs, self.config.temperature) + self.prototypes.loss(pairs.queries, pairs.anchors)

    def before_epoch(self, progress: float, embed: Embed) -> None:
        if progress >= self.config.warmup and self.timer.due(progress):
            self.prototypes.cluster(embed(self.source.target), self.config.prototype_temperature, self.config.alpha)

    def pseudo_labels(self) -> PseudoLabelView:
        return self.prototypes.view()
