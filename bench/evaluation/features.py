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


@contextlib.contextmanager
def single_precision(device: torch.device) -> Iterator[None]:
    """Float32 throughout, on every device: no autocast, and no TF32 in a GPU's convolutions."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def extract(
    network: nn.Module,
    batches: Iterable[Tensor],
    device: torch.device,
    between: Callable[[], None] = lambda: None,
    precision: Callable[[torch.device], contextlib.AbstractContextManager[None]] = single_precision,
) -> Tensor:
    """Features float32 [N, D] of views that come in batches [B, C, H, W]; ``between`` is called after each batch."""
    features = []
    with frozen(network), precision(device):
        for batch in batches:
            features.append(network(batch).float())
            between()
    return torch.cat(features)
