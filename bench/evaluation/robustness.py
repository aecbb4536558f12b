"""Robustness: kNN and linear evaluation, both fitted on clean train images, of test images that are corrupted.

The corruptions are the project's own, of one strength each, and are applied to images float [B, C, S, S] in [0, 1] as the
encoder sees them, before normalisation. Lengths go with the side S, so that a corruption is as strong on every track.
"""

from __future__ import annotations

from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..datasets.geometry import gaussian_blur
from ..metrics import Metric
from .evaluator import Evaluator
from .frozen import Change, Frozen, Scores
from .protocol import TOP1, both_top1

NOISE = 0.1  # standard deviation; CIFAR-10-C (Hendrycks and Dietterich 2019) has 0.04 to 0.10
BLUR = 1 / 32  # standard deviation, of the side: a pixel of 32
CONTRAST = 0.4  # share of the distance to an image's mean that is left
PIXELS = 1 / 2  # share of the side that is left
SEED = 20190328  # of the noise: the same for every method and seed
NOTE = "Corrupted: the mean over test images with noise, with blur, with less contrast and with coarse pixels. "


def noise(images: Tensor, batch: int) -> Tensor:
    """Gaussian noise on every channel of every pixel; drawn on the CPU, so that it is the same on all devices."""
    drawn = torch.randn(images.shape, generator=torch.Generator().manual_seed(SEED + batch))
    return (images + NOISE * drawn.to(images.device)).clamp(0, 1)


def blur(images: Tensor, batch: int) -> Tensor:
    """A Gaussian blur, its kernel cut at three deviations."""
    sigma = BLUR * images.shape[-1]
    kernel = min(2 * max(1, round(3 * sigma)) + 1, 2 * images.shape[-1] - 1)  # reflection is limited to one image beyond the edge
    return gaussian_blur(images, torch.full((len(images),), sigma, device=images.device), kernel)


def contrast(images: Tensor, batch: int) -> Tensor:
    """Every channel moved towards its mean over the image."""
    mean = images.mean((2, 3), keepdim=True)
    return mean + CONTRAST * (images - mean)


def pixelation(images: Tensor, batch: int) -> Tensor:
    """Each square of pixels replaced by its mean."""
    side = images.shape[-1]
    coarse = interpolate(images, size=max(1, round(PIXELS * side)), mode="area")
    return interpolate(coarse, size=side, mode="nearest")


CORRUPTIONS: dict[str, Change] = {"noise": noise, "blur": blur, "contrast": contrast, "pixelation": pixelation}


class Robustness(Evaluator):
    """Top-1 of kNN and linear evaluation on each corruption; their means over corruptions are columns."""

    name = "robustness"
    version = 2
    by_default = False
    columns = tuple(Metric(f"{metric}@corrupted", f"{title}, corrupted", note=NOTE) for metric, title in TOP1.items())

    def evaluate(self, frozen: Frozen) -> Scores:
        metrics: dict[str, float] = {}
        for name, change in CORRUPTIONS.items():
            found = both_top1(frozen, frozen.changed(change)).metrics
            metrics |= {f"{metric}@{name}": value for metric, value in found.items()}
        means = {f"{metric}@corrupted": fmean(metrics[f"{metric}@{name}"] for name in CORRUPTIONS) for metric in TOP1}
        return Scores(means | metrics)
