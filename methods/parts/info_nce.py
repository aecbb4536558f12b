"""The InfoNCE loss (van den Oord et al. 2018), with false negatives eliminated or attracted (Chen et al. 2022).

A anchors, M candidates, t temperature; s are cosine similarities, s+ that to the positive.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .pairs import Pairs


def info_nce(pairs: Pairs, temperature: float) -> Tensor:
    """Mean over anchors of -log e^{s+/t} / (e^{s+/t} + sum over negatives of e^{s/t}). Scalar."""
    return eliminate(pairs, temperature, None)


def eliminate(pairs: Pairs, temperature: float, false: Tensor | None, rescale: bool = False) -> Tensor:
    """InfoNCE whose sum leaves out the candidates marked ``false`` (bool [A, M]; None marks none). Scalar.

    ``rescale`` multiplies the sum over the kept negatives by all / kept, to make up for those that are left out.
    """
    kept = pairs.negative if false is None else pairs.negative & ~false
    scale = pairs.negative.sum(1).to(pairs.positive.dtype) / kept.sum(1).clamp(min=1) if rescale else None
    return -(pairs.positive / temperature - log_partition(pairs, temperature, kept, scale)).mean()


def attract(pairs: Pairs, temperature: float, false: Tensor) -> Tensor:
    """InfoNCE with the candidates marked ``false`` (bool [A, M]) as further positives. Scalar.

    -1/(1 + |F|) sum over p in {i'} + F of log e^{s(i,p)/t} / (e^{s(i,i')/t} + sum over all negatives):
    with the true labels on in-batch pairs this is SupCon's L_out (Khosla et al. 2020, eq. 2).
    """
    partition = log_partition(pairs, temperature, pairs.negative)
    pulled = pairs.negative & false
    log_p = pairs.candidates / temperature - partition[:, None]
    total = pairs.positive / temperature - partition + (log_p * pulled).sum(1)
    return -(total / (1 + pulled.sum(1))).mean()


def paired(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """InfoNCE of normalised queries [B, D] and keys [B, D]: the key in the query's row is the positive, all others negatives."""
    logits = queries @ keys.T / temperature
    return cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def log_partition(pairs: Pairs, temperature: float, negative: Tensor, scale: Tensor | None = None) -> Tensor:
    """log(e^{s+/t} + scale * sum over ``negative`` of e^{s/t}), [A]; ``scale`` [A] is 1 unless given."""
    logits = (pairs.candidates / temperature).masked_fill(~negative, float("-inf"))
    if scale is not None:
        logits = logits + scale.log()[:, None]
    return torch.cat([pairs.positive[:, None] / temperature, logits], dim=1).logsumexp(1)
