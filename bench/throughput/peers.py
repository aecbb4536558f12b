"""The peer: lightly's own pipeline (1.6), as its documentation sets it up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from lightly.loss import NTXentLoss
from lightly.transforms import SimCLRTransform
from lightly.utils.benchmarking.knn import knn_predict
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_pil_image

from ..datasets.augment import Policy

__all__ = ["PilImages", "batches", "knn_predict", "sgd_probe", "simclr_steps", "transform"]
PROBE_BATCH = 256


def transform(policy: Policy, size: int) -> SimCLRTransform:
    """lightly's transform with the operations and strengths of ``policy``."""
    bright, contrast, saturation, hue = policy.jitter
    return SimCLRTransform(
        input_size=size,
        cj_prob=policy.jitter_probability,
        cj_strength=1.0,
        cj_bright=bright,
        cj_contrast=contrast,
        cj_sat=saturation,
        cj_hue=hue,
        min_scale=policy.crop_scale[0],
        random_gray_scale=policy.gray,
        gaussian_blur=policy.blur,
        hf_prob=policy.flip,
        normalize={"mean": list(policy.mean), "std": list(policy.std)},
    )


class PilImages(Dataset):
    """Images uint8 [N, C, H, W] as a dataset of ``length`` transformed PIL images, repeated as needed."""

    def __init__(self, images: Tensor, transform: SimCLRTransform, length: int):
        self.images = [to_pil_image(image) for image in images]
        self.transform, self.length = transform, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> list[Tensor]:
        return list(self.transform(self.images[index % len(self.images)]))  # type: ignore[arg-type]


def batches(dataset: PilImages, batch_size: int) -> Iterator[list[Tensor]]:
    """Batches of views from as many worker processes as there are cores."""
    return iter(DataLoader(dataset, batch_size, shuffle=True, drop_last=True, num_workers=os.cpu_count() or 1))


def simclr_steps(network: nn.Module, optimizer: torch.optim.Optimizer, source: Iterator[list[Tensor]], steps: int) -> None:
    """SimCLR's training loop as in lightly's examples, with one forward pass for each view."""
    criterion = NTXentLoss(temperature=0.2)
    for _ in range(steps):
        first, second = next(source)
        loss = criterion(network(first), network(second))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def sgd_probe(features: Tensor, labels: Tensor, classes: int, epochs: int) -> nn.Linear:
    """A linear probe on cached features: SGD 0.9, lr 0.1 with a cosine, as lightly's benchmarks train theirs."""
    probe = nn.Linear(features.shape[1], classes)
    optimizer = torch.optim.SGD(probe.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for rows in torch.randperm(len(features)).split(PROBE_BATCH):
            loss = nn.functional.cross_entropy(probe(features[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    return probe
