"""Sources of pairs for contrastive methods: the batch (SimCLR), or a queue of past keys (MoCo).

B images a batch, D projected features, A anchors, M candidates, K keys in the queue. Projections are
L2-normalised, similarities are cosines, both in fp32.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from lightly.models.modules.heads import MoCoProjectionHead, SimCLRProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..base import Encoder
from .fifo import enqueue
from .momentum import follow, target_of


class Pairs(NamedTuple):
    """Similarities of A anchors to their positive and to M candidates, and the images of both."""

    positive: Tensor  # float [A]
    candidates: Tensor  # float [A, M]
    negative: Tensor  # bool [A, M]: the candidates that are negatives; never a view of the anchor's own image
    anchors: Tensor  # int64 [A], positions in the train split
    images: Tensor  # int64 [M], of the candidates likewise; -1 for a random initial key, which is of no image
    queries: Tensor  # float [A, D], the anchors' projections, normalised
    keys: Tensor  # float [A, D], without gradient: the target network's projections of the anchors' images


class InBatch(nn.Module):
    """SimCLR's pairs (Chen et al. 2020): every view is an anchor; the views of other images are its negatives."""

    def __init__(self, encoder: Encoder, dimension: int):
        super().__init__()
        width = encoder.num_features
        self.encoder = encoder
        self.head = SimCLRProjectionHead(width, width, dimension)

    @property
    def target(self) -> nn.Sequential:
        """The network whose projections are compared to find similar images: an encoder, and a head."""
        return nn.Sequential(self.encoder, self.head)

    def pairs(self, views: list[Tensor], index: Tensor) -> Pairs:
        """Pairs of views [B, C, H, W] each: A = M = 2B."""
        z = project(self.encoder, self.head, torch.cat(views))
        images = index.repeat(2)
        similarity = cosine(z, z)
        count = len(index)
        positive = torch.cat([similarity.diagonal(count), similarity.diagonal(-count)])
        return Pairs(positive, similarity, images[:, None] != images, images, images, z, z.detach())

    def after_step(self) -> None:
        """There is no momentum encoder to update."""


class Queue(nn.Module):
    """MoCo's pairs (He et al. 2020; v2: Chen et al. 2020): keys of a momentum encoder, negatives from a queue.

    The queue also holds the image index of each key: pseudo labels that change later can be looked up, and a key of
    the anchor's own image is never a negative. As MoCo's, it starts with random unit vectors, which are of no image.
    With ``splits`` above 1, BatchNorm is shuffled (He et al. 2020, section 3.3): it normalises so many parts of a batch each
    by itself, of the keys in a random order, so that its statistics do not tell which key is a query's.
    """

    keys: Tensor
    indices: Tensor
    cursor: Tensor

    def __init__(self, encoder: Encoder, dimension: int, size: int, momentum: float, symmetric: bool, splits: int):
        super().__init__()
        width = encoder.num_features
        self.momentum, self.symmetric, self.splits = momentum, symmetric, splits
        self.encoder = encoder
        self.head = MoCoProjectionHead(width, width, dimension)
        self.key_encoder, self.key_head = target_of(encoder), target_of(self.head)
        self.register_buffer("keys", normalize(torch.randn(size, dimension), dim=1))
        self.register_buffer("indices", torch.full((size,), -1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))
        self.latest: tuple[Tensor, Tensor] | None = None  # keys and images of the last batch, until they enter the queue

    @property
    def target(self) -> nn.Sequential:
        """The network whose projections are compared to find similar images: an encoder, and a head."""
        return nn.Sequential(self.key_encoder, self.key_head)

    def pairs(self, views: list[Tensor], index: Tensor) -> Pairs:
        """Pairs of views [B, C, H, W] each: A = B (2B if symmetric), M = K. The keys enter the queue after the step."""
        first, second = views
        anchors = index.repeat(2) if self.symmetric else index
        query = project(self.encoder, self.head, torch.cat([first, second]) if self.symmetric else first, self.splits)
        key = self._keys(torch.cat([second, first]) if self.symmetric else second)
        candidates, images = cosine(query, self.keys), self.indices
        self.latest = key, anchors
        return Pairs((query * key).sum(1), candidates, anchors[:, None] != images, anchors, images, query, key)

    @torch.no_grad()
    def _keys(self, images: Tensor) -> Tensor:
        if self.splits == 1:
            return project(self.key_encoder, self.key_head, images)
        order = torch.randperm(len(images), device=images.device)
        return project(self.key_encoder, self.key_head, images[order], self.splits)[order.argsort()]

    def after_step(self) -> None:
        """The last keys enter the queue, and the key encoder moves towards the query encoder."""
        if self.latest is not None:
            keys, images = self.latest
            enqueue(self.cursor, (self.keys, keys), (self.indices, images))
            self.latest = None
        follow([self.key_encoder, self.key_head], [self.encoder, self.head], self.momentum)


def project(encoder: nn.Module, head: nn.Module, images: Tensor, splits: int = 1) -> Tensor:
    """Normalised projections, fp32 [n, D], of images [n, C, H, W], which the encoder takes in so many parts."""
    features = torch.cat([encoder(part) for part in images.chunk(splits)])
    return normalize(head(features).float(), dim=1)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """All similarities of normalised a [A, D] to b [M, D], in fp32 under autocast too: [A, M]."""
    with torch.autocast(a.device.type, enabled=False):
        return a.float() @ b.float().T
