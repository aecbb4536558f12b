"""Views of methods that do not use two views under the track's policy."""

from __future__ import annotations

from dataclasses import replace

from ..base import Policy, View

SMALLEST = 0.05  # least share of an image that a local crop shows: SwAV, DINO


def multi_crop(policy: Policy, size: int, local: int) -> tuple[View, ...]:
    """Two views of the track's policy, and ``local`` small crops of half their side (SwAV, DINO)."""
    both = View(policy, size, 2)
    small = replace(policy, crop_scale=(SMALLEST, max(SMALLEST, policy.crop_scale[0])))
    return (both, View(small, size // 2, local)) if local else (both,)


def second_solarized(policy: Policy, size: int, probability: float) -> tuple[View, ...]:
    """Two views, the second solarized with this probability (BYOL, table 6: 0.2)."""
    return View(policy, size), View(replace(policy, solarize=probability), size)


def crop_and_flip(policy: Policy, size: int) -> tuple[View, ...]:
    """One view without changes of colour (MAE)."""
    return (View(replace(policy, jitter_probability=0.0, gray=0.0, blur=0.0), size),)
