"""IFND: Incremental False Negative Detection for Contrastive Learning (Chen et al. 2022, arXiv 2106.03719).

The paper states: k-means on the embeddings as training goes on; the most confident pseudo labels are
trusted first and more of them later; several numbers of clusters; false negatives are eliminated or
attracted. Our reading, where its text was not at hand: the momentum encoder's normalised projections of
un-augmented images are clustered (the encoder's own on a SimCLR base); confidence is the softmax over
centroids of cosine / temperature; the accepted share grows linearly from 0 to 1; the loss is the mean
over the label sets. Our choice: the cluster counts, the interval between detections, MoCo's CIFAR settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from . import moco
from .base import Counts, Embed, Encoder, Fraction, Method, Positive, PseudoLabelView, TrainData
from .parts.info_nce import attract, eliminate
from .parts.pairs import InBatch, Pairs, Queue
from .parts.pseudo_labels import Confidence, PseudoLabels, Schedule, acceptance


@dataclass(frozen=True)
class Config(moco.Config):
    base: Literal["moco", "simclr"] = "moco"  # the paper's is MoCo v2; the queue's settings then are MoCo's
    clusters: Counts = ()  # none: (N/500, N/200, N/100), our choice: 100, 250, 500 on CIFAR
    confidence: Confidence = "softmax"  # our reading
    confidence_temperature: Positive = 0.1  # our choice: the loss's
    schedule: Schedule = "linear"  # our reading
    warmup: Fraction = 0.0  # share of the budget before the first acceptance; our choice
    accept_end: Fraction = 1.0  # accepted share at the end of the budget; our reading
    detect_every: Fraction = 0.02  # share of the budget between detections, at least an epoch; our choice

    def resolved(self, images: int) -> Self:
        default = tuple(max(2, images // n) for n in (500, 200, 100))
        clusters = tuple(dict.fromkeys(self.clusters or default))
        if max(clusters) > images:
            raise ValueError(f"{max(clusters)} clusters exceed the {images} train images")
        return replace(super().resolved(images), clusters=clusters)


class Ifnd(Method):
    """What elimination and attraction share: detection before some epochs, and the mean over label sets."""

    config_type = Config

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        self.config = config
        self.source: InBatch | Queue
        if config.base == "moco":
            self.source = Queue(encoder, config.dimension, config.queue_size, config.momentum, config.symmetric)
        else:
            self.source = InBatch(encoder, config.dimension)
        self.labels = PseudoLabels(data.images, config.clusters)
        self.next_detection = 0.0

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        pairs = self.source.pairs(views, index)
        false = self.labels.same(pairs.anchors, pairs.images)
        return torch.stack([self.contrast(pairs, of_set) for of_set in false]).mean()

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        self.source.after_step()

    def before_epoch(self, progress: float, embed: Embed) -> None:
        c = self.config
        rate = acceptance(c.schedule, progress, c.warmup, c.accept_end)
        if rate > 0 and progress >= self.next_detection:
            self.labels.detect(embed(self.source.target), rate, c.confidence, c.confidence_temperature)
            self.next_detection = progress + c.detect_every

    def extras(self) -> dict[str, float]:
        return {"accepted": self.labels.accepted}

    def pseudo_labels(self) -> PseudoLabelView:
        return self.labels.view()

    def get_extra_state(self) -> dict:
        return {"next_detection": self.next_detection}

    def set_extra_state(self, state: dict) -> None:
        self.next_detection = state["next_detection"]


class IfndElim(Ifnd):
    name = "ifnd_elim"
    summary = "IFND, detected false negatives dropped (Chen et al. 2022)"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return eliminate(pairs, self.config.temperature, false)


class IfndAttract(Ifnd):
    name = "ifnd_attract"
    summary = "IFND, detected false negatives pulled in (Chen et al. 2022)"

    def contrast(self, pairs: Pairs, false: Tensor) -> Tensor:
        return attract(pairs, self.config.temperature, false)
