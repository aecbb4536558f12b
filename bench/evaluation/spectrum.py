"""Spectrum: RankMe, alignment and uniformity of the test features, without labels.

Features are float [N, D]; rank and uniformity are computed in double precision, alignment in that of the views.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..metrics import Metric
from .evaluator import Evaluator
from .frozen import Frozen, directions, scaled

VIEWED = 2048  # most test images of which two views are compared
ROWS = 1024  # rows of pairs that are in memory at a time
NOTE = (
    "RankMe: exp of the entropy of the singular values of the test features, at most their number. Alignment: mean squared "
    "distance of two views of an image, uniformity: log mean exp(-2 d²) over pairs of images, both of normalised features. "
)


class Spectrum(Evaluator):
    """RankMe, alignment, uniformity: no label is used, and neither more nor less counts as better."""

    name = "spectrum"
    version = 1
    by_default = False
    columns = (
        Metric("rankme", "RankMe", unit="", better="", note=NOTE),
        Metric("alignment", "alignment", unit="", better="", note=NOTE),
        Metric("uniformity", "uniformity", unit="", better="", note=NOTE),
    )

    def evaluate(self, frozen: Frozen) -> dict[str, float]:
        x = frozen.test.values.double()
        return {"rankme": rankme(x), "alignment": alignment(*frozen.views(VIEWED)), "uniformity": uniformity(x)}


def rankme(x: Tensor) -> float:
    """exp of the entropy of the singular values, scaled to a sum of 1 (Garrido et al. 2023, arXiv 2210.02885, equation 1)."""
    share = torch.linalg.svdvals(scaled(x))
    share = share / share.sum().clamp(min=1e-12) + 1e-7
    return float(torch.exp(-(share * share.log()).sum()))


def alignment(first: Tensor, second: Tensor) -> float:
    """Mean squared distance of the normalised features of two views (Wang and Isola 2020, arXiv 2005.10242, alpha = 2)."""
    return float((directions(first) - directions(second)).square().sum(1).mean())


def uniformity(x: Tensor) -> float:
    """log mean e^{-2 d^2} over all pairs of normalised features (Wang and Isola 2020, t = 2); 0 is collapse."""
    z = directions(x)
    norms = z.square().sum(1)  # 1, or 0 of a feature that is zero
    parts = zip(z.split(ROWS), norms.split(ROWS), strict=True)
    total = sum(float((4 * part @ z.T - 2 * own[:, None] - 2 * norms).exp().sum()) for part, own in parts)  # every pair twice
    pairs = len(z) * (len(z) - 1)
    return float(torch.tensor((total - len(z)) / pairs, dtype=torch.float64).log())  # without pairs of an image with itself
