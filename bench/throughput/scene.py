"""The test problems of the figures: synthetic data of realistic sizes, a small network, and a trainer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import environment
from ..budget import Budget
from ..datasets.augment import Policy
from ..datasets.held_out import shown
from ..datasets.loader import Loader
from ..datasets.store import Store
from ..methods import Method, TrainData
from ..methods.base import Encoder
from ..recipe import Training
from ..training.trainer import Trainer

CPU = torch.device("cpu")
COLOUR = Policy(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))  # crop, flip, jitter, grayscale: the policy at 32 pixels


@dataclass(frozen=True)
class Scale:
    """The sizes of the test problems."""

    images: int = 50_000
    width: int = 512  # of features
    classes: int = 100
    queries: int = 10_000
    centroids: int = 1000
    steps: int = 12  # of training in one measurement
    batch: int = 256
    views: int = 2048
    probe_epochs: int = 90


FULL = Scale()
SMALL = Scale(
    images=4000, width=128, classes=20, queries=1000, centroids=100, steps=6, batch=128, views=1024, probe_epochs=5
)  # seconds in all: to compare revisions


class SmallNet(Encoder):
    """Five convolutions on [B, 3, 32, 32], about 10 MFLOP forward: where the input pipeline counts most."""

    num_features = 128

    def __init__(self) -> None:
        super().__init__()
        widths, strides = (3, 16, 32, 64, 64, 128), (2, 2, 1, 1, 2)
        layers: list[nn.Module] = []
        for i, stride in enumerate(strides):
            layers += [nn.Conv2d(widths[i], widths[i + 1], 3, stride, 1, bias=False), nn.BatchNorm2d(widths[i + 1]), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


def random_images(count: int, channels: int = 3, side: int = 32) -> Tensor:
    """uint8 [count, channels, side, side]; no speed here depends on their content."""
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def random_features(count: int, width: int, classes: int) -> tuple[Tensor, Tensor]:
    """Features [count, width] of overlapping classes with a falling spectrum, as networks give them; labels [count]."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (count,), generator=generator)
    spectrum = torch.arange(1, width + 1) ** -0.8
    mixing = torch.randn(width, width, generator=generator) * spectrum[:, None]
    centres = 0.35 * torch.randn(classes, width, generator=generator)
    return ((torch.randn(count, width, generator=generator) + centres[labels]) @ mixing).relu(), labels


def make_trainer(
    kind: type[Method], encoder: Encoder, store: Store, policy: Policy, size: int, batch: int, device: torch.device
) -> Trainer:
    """A trainer of ``kind`` on ``store`` with its default settings."""
    torch.manual_seed(0)
    labels = shown(store.labels) if kind.uses_labels else None
    data = TrainData(len(store), int(store.labels.max()) + 1, labels)
    method = environment.placed(kind(encoder, kind.config_type().resolved(len(store), size), data), device)
    loader = Loader(store, policy, size, batch, seed=0, device=device, views=method.views(method.config, policy, size))
    training = Training(batch_size=batch, lr=0.06, weight_decay=5e-4)
    return Trainer(method.train(), loader, training, Budget(200, "ep"), device)


def random_store(count: int, classes: int, channels: int = 3, side: int = 32) -> Store:
    """Random images with labels 0, 1, ..., classes - 1, 0, 1, ..."""
    return Store(random_images(count, channels, side), torch.arange(count) % classes)
