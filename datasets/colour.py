"""Colour operations on a batch of float images [B, C, H, W] in [0, 1], a factor float [B] for each image.

They mean what torchvision's functional API means. A grayscale image (C = 1) has no saturation and no hue.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # torchvision's rgb_to_grayscale


def luma(images: Tensor) -> Tensor:
    """Brightness of every pixel, [B, 1, H, W]."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    return (images * _each(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    mean = luma(images).mean(dim=(1, 2, 3), keepdim=True)
    return torch.addcmul(mean * (1 - _each(factor)), images, _each(factor)).clamp_(0, 1)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return torch.addcmul(luma(images) * (1 - _each(factor)), images, _each(factor)).clamp_(0, 1)


def hue(images: Tensor, factor: Tensor) -> Tensor:
    """Turn the hue by ``factor`` of a full circle, in [-0.5, 0.5].

    With the hue in sextants, v = max and c = max - min, channel n of (5, 3, 1) is
    ``v - c * clamp(min(k, 4 - k), 0, 1)``, k = (n + hue) mod 6: no conversion back by cases.
    """
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    safe = chroma.clamp(min=1e-12)
    sextant = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    turned = sextant.add_(6 * factor[:, None, None] + 6)  # kept positive, so that fmod is a modulus
    out = torch.empty_like(images)
    for channel, n in enumerate((5.0, 3.0, 1.0)):
        k = torch.fmod(turned + n, 6)
        amount = torch.minimum(k, 4 - k).clamp_(0, 1)
        torch.addcmul(value, chroma, amount, value=-1, out=out[:, channel])
    return out


def grayscale(images: Tensor, chosen: Tensor) -> Tensor:
    """Grayscale where ``chosen`` (bool [B])."""
    if images.shape[1] == 1:
        return images
    return torch.where(_each(chosen), luma(images), images)


def _each(factor: Tensor) -> Tensor:
    return factor[:, None, None, None]
