"""Features of a whole split from a frozen network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients inside; every module's own mode is back afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def extract(
    network: nn.Module, batches: Iterable[Tensor], device: torch.device, between: Callable[[], None] = lambda: None
) -> Tensor:
    """Features float32 [N, D] of views that come in batches [B, C, H, W]; ``between`` is called after each batch."""
    features = []
    with frozen(network), torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        for batch in batches:
            features.append(network(batch).float())
            between()
    return torch.cat(features)
