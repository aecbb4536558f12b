"""Augmentation of a whole batch on its device, with parameters drawn per image.

The reference is torchvision's functional API applied image by image; tests compare the two.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import torch
from torch import Tensor

from . import colour, geometry
from .geometry import Boxes
from .policy import Policy, View

__all__ = ["Parameters", "Policy", "View", "augment"]

ORDER_GROUPS = 4  # the order of the colour operations is drawn for each quarter of a batch
PIECE = 2**23  # bytes of float images that a CPU augments at a time, so that intermediate results stay in its cache


class Parameters(NamedTuple):
    """The random parameters of B images; ``orders`` holds one order of the colour operations for each group."""

    boxes: Boxes
    flip: Tensor  # bool [B]
    factors: Tensor  # float [4, B]: brightness, contrast, saturation, hue
    orders: list[list[int]]
    gray: Tensor  # bool [B]
    sigma: Tensor  # float [B]
    blur: Tensor  # bool [B]
    solarize: Tensor | None = None  # bool [B]; None: of no image

    def pieces(self, most: int) -> list[Parameters]:
        """The parameters split into runs of at most ``most`` consecutive images that share an order."""
        count = len(self.flip)
        group = -(-count // ORDER_GROUPS)
        starts = [start for first in range(0, count, group) for start in range(first, min(first + group, count), most)]
        return [
            self._between(start, end, self.orders[start // group])
            for start, end in zip(starts, [*starts[1:], count], strict=True)
        ]

    def _between(self, start: int, end: int, order: list[int]) -> Parameters:
        cut = slice(start, end)
        boxes = Boxes(*(side[cut] for side in self.boxes))
        solarize = None if self.solarize is None else self.solarize[cut]
        rest = (self.gray[cut], self.sigma[cut], self.blur[cut], solarize)
        return Parameters(boxes, self.flip[cut], self.factors[:, cut], [order], *rest)


OPERATIONS = (colour.brightness, colour.contrast, colour.saturation, colour.hue)


def draw(policy: Policy, height: Tensor, width: Tensor, generator: torch.Generator, order_seed: int) -> Parameters:
    """Draw parameters for images of original size float [B] x [B], in pixels.

    The host needs the orders, so they are drawn from ``order_seed``; all else is drawn by ``generator``, on its device.
    """
    count, device = len(height), height.device
    boxes = geometry.random_boxes(height, width, policy.crop_scale, policy.crop_ratio, generator)
    uniform = torch.rand(9, count, generator=generator, device=device)
    jittered = uniform[0] < policy.jitter_probability
    factors = torch.empty(4, count, device=device)
    for row in range(3):
        low, high = max(0.0, 1 - policy.jitter[row]), 1 + policy.jitter[row]
        factors[row] = torch.where(jittered, low + uniform[1 + row] * (high - low), 1.0)
    factors[3] = torch.where(jittered, (2 * uniform[4] - 1) * policy.jitter[3], 0.0)
    host = random.Random(order_seed)
    orders = [host.sample(range(4), 4) for _ in range(ORDER_GROUPS)]
    low, high = policy.blur_sigma
    solarize = torch.rand(count, generator=generator, device=device) < policy.solarize if policy.solarize else None
    return Parameters(
        boxes,
        flip=uniform[5] < policy.flip,
        factors=factors,
        orders=orders,
        gray=uniform[6] < policy.gray,
        sigma=low + uniform[7] * (high - low),
        blur=uniform[8] < policy.blur,
        solarize=solarize,
    )


def apply(policy: Policy, images: Tensor, parameters: Parameters, size: int) -> Tensor:
    """Views float [B, C, size, size], normalised, of images uint8 [B, C, H, W] under ``parameters``.

    In the memory format that convolutions use.
    """
    count, channels = images.shape[:2]
    views = torch.empty(count, channels, size, size, device=images.device, memory_format=torch.channels_last)
    most = count if images.is_cuda else max(1, PIECE // (4 * channels * max(images[0, 0].numel(), size * size)))
    pieces = parameters.pieces(most)
    lengths = [len(piece.flip) for piece in pieces]
    for piece, part, out in zip(pieces, images.split(lengths), views.split(lengths), strict=True):
        out.copy_(_apply(policy, part, piece, size))
    return views


def _apply(policy: Policy, images: Tensor, p: Parameters, size: int) -> Tensor:
    """`apply` for images with one order of operations."""
    views = images.float().mul_(1 / 255)
    views = geometry.crop_resize(views, p.boxes, size, p.flip if policy.flip else None)
    if policy.jitter_probability:
        for op in p.orders[0]:
            if policy.jitter[op]:
                views = OPERATIONS[op](views, p.factors[op])
    if policy.gray:
        views = colour.grayscale(views, p.gray)
    if policy.blur:
        blurred = geometry.gaussian_blur(views, p.sigma, policy.blur_kernel)
        views = torch.where(p.blur[:, None, None, None], blurred, views)
    if p.solarize is not None:
        views = colour.solarize(views, p.solarize)
    return normalise(policy, views)


def normalise(policy: Policy, views: Tensor) -> Tensor:
    """Standardise float views [B, C, h, w] in [0, 1] by the track's channel mean and deviation."""
    for channel, (mean, std) in enumerate(zip(policy.mean, policy.std, strict=True)):
        views[:, channel].sub_(mean).div_(std)  # Python numbers: a constant tensor would have to wait for its copy
    return views


def augment(
    policy: Policy, images: Tensor, sizes: Tensor | None, size: int, generator: torch.Generator, order_seed: int
) -> Tensor:
    """One random view of each image: uint8 [B, C, H, W] -> float [B, C, size, size], normalised.

    ``sizes`` [B, 2]: original heights and widths of squashed images; boxes are drawn in that geometry.
    """
    height, width = original_size(images, sizes)
    parameters = draw(policy, height, width, generator, order_seed)
    if sizes is not None:
        parameters = parameters._replace(boxes=to_store(parameters.boxes, images, height, width))
    return apply(policy, images, parameters, size)


def evaluation_view(policy: Policy, images: Tensor, sizes: Tensor | None, size: int) -> Tensor:
    """The view for evaluation: the whole image, or of a squashed one the part that Resize(256), CenterCrop(224) would take."""
    height, width = original_size(images, sizes)
    if sizes is None:
        zero = torch.zeros_like(height)
        boxes = Boxes(zero, zero, height, width)
    else:
        side = torch.minimum(height, width) * (224 / 256)  # Resize(256), CenterCrop(224)
        boxes = to_store(Boxes((height - side) / 2, (width - side) / 2, side, side), images, height, width)
    views = images.float().mul_(1 / 255)
    if sizes is not None or images.shape[2:] != (size, size):
        views = geometry.crop_resize(views, boxes, size)
    return normalise(policy, views)


def original_size(images: Tensor, sizes: Tensor | None) -> tuple[Tensor, Tensor]:
    """Heights and widths, float [B] each, of the images before they were squashed into the store."""
    if sizes is not None:
        height, width = sizes.float().unbind(1)
        return height, width
    full = torch.ones(len(images), device=images.device)
    return full * images.shape[2], full * images.shape[3]


def to_store(boxes: Boxes, images: Tensor, height: Tensor, width: Tensor) -> Boxes:
    """Boxes in original pixels [height, width] as boxes in the pixels of the stored ``images``.

    They have the centre of a pixel inside at least, also those of an image a hundred times as long as wide.
    """
    down, across = images.shape[2] / height, images.shape[3] / width
    top, tall = _least(boxes.top * down, boxes.height * down, images.shape[2])
    left, wide = _least(boxes.left * across, boxes.width * across, images.shape[3])
    return Boxes(top, left, tall, wide)


def _least(start: Tensor, extent: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
    """The segments of a line of ``pixels``, about their centres, at least a little longer than a pixel."""
    enough = extent.clamp(min=1.01)
    about = (start + (extent - enough) / 2).clamp(min=0).minimum(pixels - enough)
    return torch.where(extent < enough, about, start), enough
