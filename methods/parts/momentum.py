"""A target network: its parameters are an exponential moving average of another network's."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def target_of(network: Network) -> Network:
    """A copy of ``network`` without gradients, for `follow`. Its BatchNorms have running statistics of their own."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(targets: Sequence[nn.Module], networks: Sequence[nn.Module], momentum: float) -> None:
    """Move each target towards its network: t <- m t + (1 - m) n."""
    followers: list[Tensor] = [p for target in targets for p in target.parameters()]
    torch._foreach_lerp_(followers, [p for network in networks for p in network.parameters()], 1 - momentum)


def rising(start: float, progress: float) -> float:
    """A momentum that rises from ``start`` to 1 by half a cosine (Grill et al. 2020, section 3.3)."""
    return 1 - (1 - start) * (math.cos(math.pi * progress) + 1) / 2
