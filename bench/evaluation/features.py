"""Features of a whole split from a frozen network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..datasets.augment import Policy, augment, normalise
from ..datasets.base import Track
from ..datasets.loader import evaluation_batches
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import parse_spec
from ..datasets.store import Splits, Store
from ..errors import Diverged
from .frozen import Change, Features, Frozen, finite

BATCH = 512  # images that are encoded at a time
LUMA = (0.299, 0.587, 0.114)  # red, green and blue of a gray image: ITU-R BT.601, as Pillow has it


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients inside the block; afterwards every module has its former mode."""
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
    """Features float32 [N, D] of batches of views [B, C, H, W]; ``between`` is called after each batch."""
    features = []
    with frozen(network), precision(device):
        for batch in batches:
            features.append(_own(network(batch)))
            between()
    return torch.cat(features)


def _own(features: Tensor) -> Tensor:
    """A copy, as the features may be a view of all tokens of an image, or a buffer that the next batch is written to."""
    return features.to(torch.float32, memory_format=torch.contiguous_format, copy=True)


def encode(encoder: nn.Module, store: Store, track: Track, device: torch.device) -> Features:
    """The features of a split from a frozen encoder; images have the track's size and normalisation, and no augmentation."""
    batches = evaluation_batches(store, track.policy, track.size, device)
    return Features(extract(encoder, batches, device), store.labels.to(device))


@dataclass(frozen=True, kw_only=True)
class FrozenEncoder(Frozen):
    """Frozen features together with their encoder and images, for evaluators that need these."""

    encoder: nn.Module
    splits: Splits
    track: Track
    device: torch.device
    data_root: Path

    def elsewhere(self, spec: str) -> Frozen:
        """Colour images become gray, and gray ones three equal channels, where the encoder takes the other kind."""
        return self.once(f"elsewhere {spec}", lambda: self._elsewhere(spec))

    def _elsewhere(self, text: str) -> Frozen:
        spec = parse_spec(text)
        splits, track = open_splits(spec, self.data_root), track_of(spec, self.data_root).at(self.track.size)
        channels = self.splits.train.channels
        try:
            return freeze(Channels(self.encoder, channels), splits, track, self.device, self.data_root)
        except Diverged as error:
            raise Diverged(f"{text}: {error}") from None

    def changed(self, change: Change) -> Features:
        store, policy = self.splits.test, self.track.policy
        plain = replace(policy, mean=(0.0,) * store.channels, std=(1.0,) * store.channels)
        images = enumerate(evaluation_batches(store, plain, self.track.size, self.device))
        batches = (normalise(policy, change(batch, number)) for number, batch in images)
        ready = (batch.contiguous(memory_format=torch.channels_last) for batch in batches)
        return Features(finite(extract(self.encoder, ready, self.device), "changed test images"), self.test.labels)

    def views(self, most: int) -> tuple[Tensor, Tensor]:
        part, track = self.splits.test.evenly(most), self.track
        first, second = two_views(self.encoder, part, track.policy, track.size, self.device)
        return finite(first, "augmented test images"), finite(second, "augmented test images")


def freeze(encoder: nn.Module, splits: Splits, track: Track, device: torch.device, data_root: Path) -> FrozenEncoder:
    """The encoder with its features of both splits, each computed once. Raises `Diverged`."""
    train, test = (encode(encoder, store, track, device) for store in (splits.train, splits.test))
    return FrozenEncoder(
        train, test, splits.classes, encoder=encoder, splits=splits, track=track, device=device, data_root=data_root
    )


class Channels(nn.Module):
    """Adapts an encoder of images with ``channels`` channels to gray and colour images: float [B, 1 or 3, H, W]."""

    def __init__(self, encoder: nn.Module, channels: int):
        super().__init__()
        self.encoder, self.channels = encoder, channels

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] == 1 and self.channels == 3:
            images = images.expand(-1, 3, -1, -1)
        elif images.shape[1] == 3 and self.channels == 1:
            images = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
        return self.encoder(images)


def two_views(encoder: nn.Module, store: Store, policy: Policy, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Features, float [N, D] each, of two views of every image, augmented by ``policy`` with a fixed seed."""
    generator = torch.Generator(device).manual_seed(0)
    parts = torch.arange(len(store), device=store.images.device).split(BATCH)

    def batches(order: int) -> Iterator[Tensor]:
        for rows in parts:
            images, sizes = store.take(rows)
            sizes = None if sizes is None else sizes.to(device)
            yield augment(policy, images.to(device), sizes, size, generator, order)

    first, second = (extract(encoder, batches(order), device) for order in range(2))
    return first, second
