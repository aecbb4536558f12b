"""Collapse, as it is seen without labels: do the embeddings of different images still differ?"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..datasets.augment import Policy, augment
from ..datasets.store import Store
from ..evaluation.features import frozen, single_precision

ROWS = 512  # images that are looked at, evenly over the split
LEAST = 0.02  # spread below which embeddings have collapsed: their mean cosine is then above 0.9996


def spread(features: Tensor) -> dict[str, float]:
    """Of features float [N, D]: ``embedding_std``, ``embedding_rank``, ``uniformity``; nothing unless all are finite.

    The standard deviation is of normalised features, times sqrt(D): 0 where all point one way, 1 where none prevails
    (SimSiam, section 4). The rank is RankMe, exp of the entropy of the singular values (Garrido et al. 2023, arXiv
    2210.02885). Uniformity is log mean e^{-2 d^2} over pairs (Wang and Isola 2020, arXiv 2005.10242): 0 is collapse.
    """
    x = features[:: max(1, len(features) // ROWS)][:ROWS].double()
    if not bool(x.isfinite().all()) or len(x) < 2:
        return {}
    z = normalize(x, dim=1)
    share = torch.linalg.svdvals(x)
    share = share / share.sum().clamp(min=1e-12) + 1e-7
    return {
        "embedding_std": float(z.var(0, unbiased=False).sum().sqrt()),
        "embedding_rank": float(torch.exp(-(share * share.log()).sum())),
        "uniformity": float(torch.pdist(z).square().mul(-2).exp().mean().log()),
    }


def collapsed(found: dict[str, float]) -> bool:
    """Whether what `spread` found is a collapse."""
    return found.get("embedding_std", 1.0) < LEAST


def alignment(encoder: nn.Module, store: Store, policy: Policy, size: int, device: torch.device) -> dict[str, float]:
    """Mean squared distance of the normalised embeddings of two views of an image (Wang and Isola 2020)."""
    rows = torch.arange(0, len(store), max(1, len(store) // ROWS), device=store.images.device)[:ROWS]
    images, sizes = store.take(rows)
    generator = torch.Generator(device).manual_seed(0)
    images, sizes = images.to(device), None if sizes is None else sizes.to(device)
    views = [augment(policy, images, sizes, size, generator, order) for order in range(2)]
    with frozen(encoder), single_precision(device):
        first, second = (normalize(encoder(view).float(), dim=1) for view in views)
    return {"alignment": float((first - second).square().sum(1).mean())}
