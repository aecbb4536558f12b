"""Features of a whole split from a frozen network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from ..datasets.base import Track
from ..datasets.loader import evaluation_batches
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import parse_spec
from ..datasets.store import Splits, Store
from .frozen import Features, Frozen


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


def encode(encoder: nn.Module, store: Store, track: Track, device: torch.device) -> Features:
    """A split as a frozen encoder sees it, its images as ``track`` has them without augmentation."""
    batches = evaluation_batches(store, track.policy, track.size, device)
    return Features(extract(encoder, batches, device), store.labels.to(device))


def freeze(encoder: nn.Module, splits: Splits, track: Track, device: torch.device, data_root: Path) -> Frozen:
    """Features of both splits; of another dataset, at the input size that the encoder was made for."""
    train, test = (encode(encoder, store, track, device) for store in (splits.train, splits.test))

    def elsewhere(text: str) -> Frozen:
        spec = parse_spec(text)
        other = track_of(spec, data_root).at(track.size)
        return freeze(encoder, open_splits(spec, data_root), other, device, data_root)

    return Frozen(train, test, splits.classes, elsewhere)
