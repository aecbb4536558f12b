"""Crops, flips, resizes and blurs of a batch, each image with parameters of its own.

All of them are linear and separable. A blur, or a resize that reduces, is computed as two small matrix products, ``rows @
image @ columns^T``; a resize that only enlarges samples two pixels in each direction. Shapes are static, and the filter is
exactly PIL's antialiased bilinear filter.

B images, C channels, H x W pixels in, h x w pixels out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

TRIES = 10  # as torchvision's RandomResizedCrop, before it falls back to a central crop


class Boxes(NamedTuple):
    """Regions of B images in pixels, float [B] each; fractional where a store holds squashed images."""

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


def random_boxes(
    height: Tensor, width: Tensor, scale: tuple[float, float], ratio: tuple[float, float], generator: torch.Generator
) -> Boxes:
    """Random boxes with the distribution of torchvision's ``RandomResizedCrop.get_params``, for images of float [B] x [B]."""
    device, count = height.device, len(height)
    draws = torch.rand(2, TRIES, count, generator=generator, device=device)
    area = height * width * (scale[0] + draws[0] * (scale[1] - scale[0]))
    low, high = math.log(ratio[0]), math.log(ratio[1])
    aspect = (low + draws[1] * (high - low)).exp()
    widths, heights = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    any_fits = fits.any(0)
    central_h, central_w = _central(height, width, ratio)
    h = torch.where(any_fits, heights.gather(0, first)[0], central_h)
    w = torch.where(any_fits, widths.gather(0, first)[0], central_w)
    place = torch.rand(2, count, generator=generator, device=device)
    top = torch.where(any_fits, (place[0] * (height - h + 1)).floor(), ((height - h) / 2).floor())
    left = torch.where(any_fits, (place[1] * (width - w + 1)).floor(), ((width - w) / 2).floor())
    return Boxes(top.clamp(max=height - h), left.clamp(max=width - w), h, w)


def _central(height: Tensor, width: Tensor, ratio: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """The largest central crop whose width over height is within ``ratio``."""
    shape = width / height
    h = torch.where(shape < ratio[0], (width / ratio[0]).round(), height)
    w = torch.where(shape > ratio[1], (height * ratio[1]).round(), width)
    return h, w


def resize_matrix(start: Tensor, extent: Tensor, source: int, target: int, flip: Tensor | None = None) -> Tensor:
    """Weights [B, target, source] that resize the segment [start, start + extent) of a line to ``target`` pixels.

    The triangle filter of PIL: its half width is one pixel where the segment is enlarged, and the factor of reduction
    where it is reduced; weights are normalised over the pixels of the segment. ``flip`` bool [B] mirrors the result.
    """
    centre = _centres(start, extent, target, flip)
    scale = (extent / target)[:, None]
    pixels = torch.arange(source, device=start.device) + 0.5
    weights = (1 - (pixels - centre[:, :, None]).abs() / scale.clamp(min=1)[:, :, None]).clamp_(min=0)
    inside = (pixels > start[:, None]) & (pixels < (start + extent)[:, None])
    weights *= inside[:, None, :]
    return weights / weights.sum(2, keepdim=True)


def separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``rows @ image @ columns^T`` of every channel: [B, C, H, W], [B, h, H], [B, w, W] -> [B, C, h, w]."""
    count, channels, height, width = images.shape
    across = torch.bmm(images.reshape(count, channels * height, width), columns.transpose(1, 2))
    return torch.matmul(rows[:, None], across.view(count, channels, height, -1))


def crop_resize(images: Tensor, boxes: Boxes, size: int, flip: Tensor | None = None) -> Tensor:
    """Regions ``boxes`` of float images [B, C, H, W], resized to [B, C, size, size], mirrored where ``flip``."""
    if size >= max(images.shape[2:]):
        return _enlarge(images, boxes, size, flip)
    rows = resize_matrix(boxes.top, boxes.height, images.shape[2], size)
    columns = resize_matrix(boxes.left, boxes.width, images.shape[3], size, flip)
    return separable(images, rows, columns)


def _enlarge(images: Tensor, boxes: Boxes, size: int, flip: Tensor | None) -> Tensor:
    """`crop_resize` where every box is at most ``size``: two pixels in each direction have weight, and sampling is faster."""
    y = _sample_places(boxes.top, boxes.height, images.shape[2], size, None)
    x = _sample_places(boxes.left, boxes.width, images.shape[3], size, flip)
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1)
    return grid_sample(images, grid, align_corners=False)


def _sample_places(start: Tensor, extent: Tensor, source: int, target: int, flip: Tensor | None) -> Tensor:
    """Centres of ``target`` pixels in the segment, [B, target], at least half a pixel from its ends, scaled to [-1, 1]."""
    centre = _centres(start, extent, target, flip)
    low, high = start[:, None] + 0.5, (start + extent)[:, None] - 0.5
    return torch.minimum(torch.maximum(centre, low), high) * (2 / source) - 1


def _centres(start: Tensor, extent: Tensor, target: int, flip: Tensor | None) -> Tensor:
    """Centres of ``target`` equal parts of the segment [start, start + extent), mirrored where ``flip``: [B, target]."""
    steps = torch.arange(target, device=start.device) + 0.5
    place = steps[None] if flip is None else torch.where(flip[:, None], target - steps, steps)
    return start[:, None] + place * (extent / target)[:, None]


def blur_matrix(sigma: Tensor, size: int, radius: int) -> Tensor:
    """Weights [B, size, size] of a Gaussian blur, sigma float [B], cut at ``radius`` pixels, reflecting at the edges."""
    place = torch.arange(size, device=sigma.device)
    here, there = place[:, None], place[None, :]

    def kernel(distance: Tensor) -> Tensor:
        return (-(distance**2) / (2 * sigma[:, None, None] ** 2)).exp() * (distance.abs() <= radius)

    weights = kernel(here - there)
    weights = weights + kernel(here + there) * (there > 0)
    weights = weights + kernel(2 * (size - 1) - here - there) * (there < size - 1)
    return weights / weights.sum(2, keepdim=True)


def gaussian_blur(images: Tensor, sigma: Tensor, kernel_size: int) -> Tensor:
    """Blur float images [B, C, H, W] by ``sigma`` float [B], as torchvision's ``gaussian_blur`` does."""
    rows = blur_matrix(sigma, images.shape[2], kernel_size // 2)
    columns = rows if images.shape[2] == images.shape[3] else blur_matrix(sigma, images.shape[3], kernel_size // 2)
    return separable(images, rows, columns)
