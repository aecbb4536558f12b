"""`shapes`: 100 classes of textured shapes, drawn by this program at 32 x 32 in colour; embedded.

A class is a shape and a texture. Everything else is nuisance: two colours and a background, position, size,
rotation, the texture's phase, a background gradient, and noise. Neither colours nor position depend on the
class, so that distances between pixels say little about it; the augmentation changes colours and position likewise.

All is drawn in double precision: sines differ between processors in their last bit, which in single precision changed a few
pixels, and with them the fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .base import Raw, Track
from .policy import Policy

SIDE = 32
TRAIN, TEST = 300, 50  # images a class
SEED = 20220425
ROTATION, PLACE, RADIUS = 1.6, 5.0, (8.5, 14.0)  # nuisance: radians either way, pixels either way, pixels
Field = np.ndarray  # float64 [n, SIDE, SIDE]


def disc(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.9


def square(x: Field, y: Field) -> Field:
    return np.maximum(abs(x), abs(y)) - 0.8


def triangle(x: Field, y: Field) -> Field:
    return np.maximum(abs(x) * 0.87 + y * 0.5, -y) - 0.5


def plus(x: Field, y: Field) -> Field:
    near, far = np.minimum(abs(x), abs(y)), np.maximum(abs(x), abs(y))
    return np.maximum(near - 0.33, far - 0.95)


def star(x: Field, y: Field) -> Field:
    return np.hypot(x, y) - 0.68 - 0.32 * np.cos(5 * np.arctan2(x, y))


def ring(x: Field, y: Field) -> Field:
    return abs(np.hypot(x, y) - 0.68) - 0.27


def bar(x: Field, y: Field) -> Field:
    return np.maximum(abs(x) - 0.98, abs(y) - 0.4)


def crescent(x: Field, y: Field) -> Field:
    return np.maximum(np.hypot(x, y) - 0.95, 0.75 - np.hypot(x - 0.5, y))


def corner(x: Field, y: Field) -> Field:
    return np.maximum(np.maximum(abs(x), abs(y)) - 0.85, np.minimum(x, y) + 0.2)


def hourglass(x: Field, y: Field) -> Field:
    return np.maximum(abs(y) - 0.9, abs(x) - 0.15 - 0.8 * abs(y))


def plain(u: Field, v: Field) -> Field:
    return np.ones_like(u)


def stripes(u: Field, v: Field) -> Field:
    return np.sin(1.15 * u)


def fine_stripes(u: Field, v: Field) -> Field:
    return np.sin(2.1 * u)


def checks(u: Field, v: Field) -> Field:
    return np.sin(1.0 * u) * np.sin(1.0 * v)


def dots(u: Field, v: Field) -> Field:
    return np.cos(1.2 * u) + np.cos(1.2 * v) - 0.8


def rings(u: Field, v: Field) -> Field:
    return np.sin(1.25 * np.hypot(u, v))


def spokes(u: Field, v: Field) -> Field:
    return np.sin(4 * np.arctan2(v, u))


def halves(u: Field, v: Field) -> Field:
    return u


def zigzag(u: Field, v: Field) -> Field:
    return np.sin(1.2 * u + 2.2 * abs(np.mod(v / 4, 2) - 1) * 1.5)


def grid(u: Field, v: Field) -> Field:
    return np.maximum(np.cos(1.15 * u), np.cos(1.15 * v)) - 0.75


SHAPES: tuple[Callable[[Field, Field], Field], ...] = (
    disc, square, triangle, plus, star, ring, bar, crescent, corner, hourglass,
)  # fmt: skip
TEXTURES: tuple[Callable[[Field, Field], Field], ...] = (
    plain, stripes, fine_stripes, checks, dots, rings, spokes, halves, zigzag, grid,
)  # fmt: skip


def read(_: Path) -> dict[str, Raw]:
    """Both splits, drawn from the seed: 100 classes, class = 10 x shape + texture."""
    return {"train": _split(TRAIN, SEED), "test": _split(TEST, SEED + 1)}


def _split(per_class: int, seed: int) -> Raw:
    labels = np.repeat(np.arange(len(SHAPES) * len(TEXTURES)), per_class)
    rng = np.random.default_rng(seed)
    chunks = [np.concatenate([draw(c, per_class, rng) for c in range(len(SHAPES) * len(TEXTURES))])]
    return Raw((3, SIDE, SIDE), labels, chunks)


def draw(label: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """``count`` images of class ``label``, uint8 [count, 3, SIDE, SIDE]."""
    shape, texture = SHAPES[label // len(TEXTURES)], TEXTURES[label % len(TEXTURES)]

    def uniform(low: float, high: float, *size: int) -> np.ndarray:
        return rng.uniform(low, high, (count, *size))[..., None, None]

    line = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = line - uniform(-PLACE, PLACE), line[:, None] - uniform(-PLACE, PLACE)
    angle, radius = uniform(-ROTATION, ROTATION), uniform(*RADIUS)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside = _edge(shape(u / radius, v / radius) * radius)
    bright = _edge(-4 * texture(u, v))
    ground, ink, paper = _colours(rng, count)
    ground = ground + uniform(-0.1, 0.1, 3) * (x + y)[:, None] / 16
    surface = paper + (ink - paper) * bright[:, None]
    image = ground + (surface - ground) * inside[:, None]
    image += rng.standard_normal((count, 1, SIDE, SIDE)) * 0.03
    return (image.clip(0, 1) * 255).astype(np.uint8)


def _edge(distance: Field) -> Field:
    """1 inside and 0 outside of a shape given by signed distances in pixels, with a smooth edge of one pixel."""
    return np.clip(0.5 - distance, 0, 1)


def _colours(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Background, ink and paper, float64 [count, 3, 1, 1] each: random hues, in three well separated brightnesses."""
    levels = rng.permuted(np.tile([0.15, 0.5, 0.85], (count, 1)), axis=1)
    colours = levels[..., None] + rng.uniform(-0.2, 0.2, (count, 3, 3))
    ground, ink, paper = np.moveaxis(colours[..., None, None], 1, 0)
    return ground, ink, paper


TRACK = Track(
    name="shapes",
    title="textured shapes, drawn by the program",
    classes=len(SHAPES) * len(TEXTURES),
    size=SIDE,
    backbone="test_resnet",
    policy=Policy(mean=(0.5,) * 3, std=(0.25,) * 3, crop_scale=(0.5, 1.0), jitter=(0.4, 0.4, 0.4, 0.2)),
    read=read,
    embedded=True,
    digest="7fb2d5ee883008aca13b63d7f5d8f45160480145560820f10a8e5a80ffd9ae86",
    batch_size=256,
    lr=0.12,  # as on digits, 0.06 at batch 128, scaled linearly
    quick_start="shapes:classes=20",  # accuracies of random weights, pixels and contestants differ clearly within minutes
)
