"""Colour operations on a batch of float images [B, C, H, W] in [0, 1], a factor float [B] for each image.

Results are those of torchvision's functional API. A grayscale image (C = 1) has no saturation and no hue.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # torchvision's rgb_to_grayscale


def luma(images: Tensor) -> Tensor:
    """Luma of every pixel, [B, 1, H, W]."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.split(1, dim=1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    return (images * _each(factor)).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    mean = luma(images).mean(dim=(1, 2, 3), keepdim=True)
    return (images * _each(factor)).add_(mean * (1 - _each(factor))).clamp_(0, 1)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    return torch.lerp(luma(images), images, _each(factor)).clamp_(0, 1)


def solarize(images: Tensor, chosen: Tensor) -> Tensor:
    """The ``chosen`` (bool [B]) images with all values from torchvision's threshold, 128 / 255, on inverted."""
    inverted = torch.where(images >= 128 / 255, 1 - images, images)
    return torch.where(_each(chosen), inverted, images)


def hue(images: Tensor, factor: Tensor) -> Tensor:
    """Turn the hue by ``factor`` of a full circle, in [-0.5, 0.5].

    With the hue in sextants, v = max and c = max - min, a channel is v - c * clamp(2 - d, 0, 1), d being the
    distance around the circle from the hue to 3 (red), 5 (green) or 1 (blue). The code uses in-place arithmetic only:
    comparisons, selections and remainders cost five to ten times as much as a sum.
    """
    if images.shape[1] == 1:
        return images
    value, chroma, sextant = _hexagon(images)
    sextant.add_(6 * factor[:, None, None])
    sextant.sub_((sextant * (1 / 6)).floor_(), alpha=6)
    base = torch.sub(value, chroma, alpha=2)  # v - c * clamp(2 - d, 0, 1) = v - 2c + c * clamp(d, 1, 2)
    distance = torch.sub(sextant, 3).abs_().clamp_(1, 2)  # in [0, 6) the shortest way to 3 crosses no end
    channels = [torch.addcmul(base, chroma, distance)]
    base.add_(chroma, alpha=3)  # elsewhere d = 3 - e, e = ||sextant - centre| - 3|: v + c - c * clamp(e, 1, 2)
    for centre in (5, 1):
        distance = torch.sub(sextant, centre).abs_().sub_(3).abs_().clamp_(1, 2)
        channels.append(torch.addcmul(base, chroma, distance, value=-1))
    return torch.stack(channels, dim=1)


def _hexagon(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, chroma and hue in sextants, [B, H, W] each; the hue of a grey pixel is arbitrary.

    Sorting red, green and blue leaves the sextant as |offset + (middle - least) / chroma|, up to full circles.
    """
    red, green, blue = images.unbind(1)
    larger, smaller = torch.maximum(green, blue), torch.minimum(green, blue)
    value, middle = torch.maximum(red, larger), torch.minimum(red, larger)
    chroma = value - torch.minimum(red, smaller)
    blue_leads, red_trails = _step(blue - green), _step(larger - red)
    sextant = middle.sub_(smaller).div_(chroma.clamp(min=1e-12)).sub_(blue_leads, alpha=6)
    return value, chroma, sextant.addcmul_(red_trails, blue_leads.mul_(12).sub_(2)).abs_()


def _step(difference: Tensor) -> Tensor:
    """1 where ``difference`` is above zero, else 0, in place."""
    return difference.mul_(1e30).clamp_(0, 1)


def grayscale(images: Tensor, chosen: Tensor) -> Tensor:
    """Grayscale where ``chosen`` (bool [B])."""
    if images.shape[1] == 1:
        return images
    return torch.lerp(images, luma(images), _each(chosen).to(images.dtype))


def _each(factor: Tensor) -> Tensor:
    return factor[:, None, None, None]
