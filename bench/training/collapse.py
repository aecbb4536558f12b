"""Detects collapse, without labels: whether the embeddings of different images still differ."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..datasets.augment import Policy
from ..datasets.store import Store, evenly
from ..evaluation import spectrum
from ..evaluation.features import two_views

ROWS = 512  # images used, evenly spaced over the split
LEAST = 0.02  # embedding_std below which embeddings have collapsed: their mean cosine is then above 0.9996


def spread(features: Tensor) -> dict[str, float]:
    """Of features float [N, D]: ``embedding_std``, ``embedding_rank``, ``uniformity``; nothing unless all are finite.

    The standard deviation is of normalised features, times sqrt(D): 0 where all have the same direction, 1 where directions
    are uniform (SimSiam, section 4). The rank is RankMe; it and uniformity are defined in `spectrum`.
    """
    x = features[evenly(len(features), ROWS).to(features.device)].double()
    if not bool(x.isfinite().all()) or len(x) < 2:
        return {}
    return {
        "embedding_std": float(normalize(x, dim=1).var(0, unbiased=False).sum().sqrt()),
        "embedding_rank": spectrum.rankme(x),
        "uniformity": spectrum.uniformity(x),
    }


def collapsed(found: dict[str, float]) -> bool:
    """Whether the values of `spread` mean a collapse."""
    return found.get("embedding_std", 1.0) < LEAST


def alignment(encoder: nn.Module, store: Store, policy: Policy, size: int, device: torch.device) -> dict[str, float]:
    """Mean squared distance of the normalised embeddings of two views of an image, see `spectrum.alignment`."""
    return {"alignment": spectrum.alignment(*two_views(encoder, store.evenly(ROWS), policy, size, device))}
