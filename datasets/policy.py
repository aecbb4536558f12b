"""The augmentation of a track or a method, as plain values: listing tracks loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Policy:
    """A track's augmentation and normalisation; a probability of 0 switches an operation off."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_scale: tuple[float, float] = (0.2, 1.0)  # MoCo v2
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)  # torchvision's default
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)  # brightness, contrast, saturation, hue: MoCo v2
    jitter_probability: float = 0.8
    gray: float = 0.2
    blur: float = 0.0  # SimCLR B.9: no blur on small images
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_kernel: int = 23  # a tenth of 224 pixels, odd: SimCLR A
    solarize: float = field(default=0.0, metadata={"later": True})  # BYOL, of its second view: 0.2


@dataclass(frozen=True)
class View:
    """``count`` views of each image under ``policy``, ``size`` pixels a side."""

    policy: Policy
    size: int
    count: int = 1
