"""Multinomial logistic regression, all L2 strengths of a grid solved in one batched run.

Minimises mean cross-entropy + strength / 2 * |W|^2 (the bias is free), which is scikit-learn's
``LogisticRegression(C=1 / (strength * N))``. N samples, D features, C classes, G strengths.

The method is L-BFGS on features turned into the eigenbasis of their covariance: there the bound
H <= (covariance + strength) / 2 of Boehning (1992) is diagonal and makes a good first metric. The logits are linear
in the step, so a line search costs no further pass over the features: two matrix products an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

MEMORY = 10  # pairs kept by L-BFGS
SHRINKS = (1.0, 0.5, 0.2, 0.05, 0.01)  # step sizes of the line search


class Heads(NamedTuple):
    """G linear classifiers: weight [G, D, C], bias [G, C], and the iterations it took."""

    weight: Tensor
    bias: Tensor
    iterations: int

    def logits(self, features: Tensor) -> Tensor:
        """[G, N, C] of features [N, D]."""
        return features @ self.weight + self.bias[:, None]


class Standardizer(NamedTuple):
    """Mean and deviation of train features; a constant feature is left at zero."""

    mean: Tensor
    scale: Tensor

    @staticmethod
    def fit(features: Tensor) -> Standardizer:
        deviation = features.std(0, correction=0)
        return Standardizer(features.mean(0), torch.where(deviation > 1e-6, deviation, torch.inf))

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale


def solve(
    features: Tensor, labels: Tensor, classes: int, strengths: Sequence[float], iterations: int = 200, tolerance: float = 1e-3
) -> Heads:
    """Fit one classifier for each of ``strengths`` on centred features float [N, D], labels int64 [N].

    Stops when no gradient entry of any strength exceeds ``tolerance`` times its size at the start.
    """
    problem = _Problem(features, labels, classes, strengths)
    weights = problem.zeros()
    logits = problem.forward(weights)
    gradient = problem.gradient(weights, logits)
    target = tolerance * gradient.abs().amax((1, 2))
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    done = 0
    while done < iterations and bool((gradient.abs().amax((1, 2)) > target).any()):
        direction = -_two_loop(gradient, history, problem.metric)
        along = problem.forward(direction)
        size = problem.line_search(weights, direction, logits, along)
        moved = size[:, None, None] * direction
        weights, logits = weights + moved, logits.add_(along.mul_(size[None, :, None]))
        new_gradient = problem.gradient(weights, logits)
        change = new_gradient - gradient
        curvature = (moved * change).sum((1, 2))
        history = [*history[-MEMORY + 1 :], (moved, change, torch.where(curvature > 1e-12, 1 / curvature, 0.0))]
        gradient = new_gradient
        done += 1
    return problem.heads(weights, done)


def _two_loop(gradient: Tensor, history: list[tuple[Tensor, Tensor, Tensor]], metric: Tensor) -> Tensor:
    """L-BFGS's product of the inverse Hessian with the gradient (Nocedal and Wright, algorithm 7.4), batched."""
    q = gradient.clone()
    alphas = []
    for step, change, inverse in reversed(history):
        alpha = inverse * (step * q).sum((1, 2))
        q -= alpha[:, None, None] * change
        alphas.append(alpha)
    r = q * metric
    if history:  # scale the metric by the latest curvature along it
        step, change, inverse = history[-1]
        size = (metric * change * change).sum((1, 2)) * inverse
        r *= torch.where(size > 0, 1 / size, 1.0)[:, None, None]
    for (step, change, inverse), alpha in zip(history, reversed(alphas), strict=True):
        beta = inverse * (change * r).sum((1, 2))
        r += (alpha - beta)[:, None, None] * step
    return r


class _Problem:
    """The objective in the eigenbasis; parameters [G, D + 1, C], the last row is the bias."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int, strengths: Sequence[float]):
        count = len(features)
        values, self.basis = torch.linalg.eigh((features.T @ features / count).double())
        self.basis = self.basis.to(features.dtype)
        ones = features.new_ones(count, 1)
        self.x = torch.cat([features @ self.basis, ones], dim=1)
        self.labels, self.classes = labels, classes
        penalty = features.new_tensor(list(strengths))[:, None, None]
        free = torch.cat([features.new_ones(len(values)), features.new_zeros(1)])[:, None]
        self.penalty = penalty * free  # [G, D + 1, 1]
        spread = torch.cat([values.clamp(min=0).to(features.dtype), features.new_ones(1)])[:, None]
        self.metric = 1 / (spread / 2 + self.penalty + 1e-6)

    def zeros(self) -> Tensor:
        return self.x.new_zeros(len(self.penalty), self.x.shape[1], self.classes)

    def forward(self, weights: Tensor) -> Tensor:
        """Logits [N, G, C]."""
        groups, width, classes = weights.shape
        return (self.x @ weights.transpose(0, 1).reshape(width, groups * classes)).view(-1, groups, classes)

    def gradient(self, weights: Tensor, logits: Tensor) -> Tensor:
        residual = logits.softmax(2)
        rows = torch.arange(len(residual), device=residual.device)
        residual[rows, :, self.labels] -= 1
        groups = len(self.penalty)
        flat = self.x.T @ residual.view(len(residual), -1)
        return flat.view(-1, groups, self.classes).transpose(0, 1) / len(residual) + self.penalty * weights

    def line_search(self, weights: Tensor, direction: Tensor, logits: Tensor, along: Tensor) -> Tensor:
        """The first of SHRINKS that lowers the value of each strength, [G]; zero where none does."""
        start = self.value(weights, logits)
        size = torch.zeros_like(start)
        for shrink in SHRINKS:
            waiting = size == 0
            if not bool(waiting.any()):
                break
            lower = self.value(weights + shrink * direction, logits + shrink * along) < start
            size = torch.where(waiting & lower, shrink, size)
        return size

    def value(self, weights: Tensor, logits: Tensor) -> Tensor:
        per_sample = logits.logsumexp(2) - logits[torch.arange(len(logits)), :, self.labels]
        return per_sample.mean(0) + (self.penalty * weights.square()).sum((1, 2)) / 2

    def heads(self, weights: Tensor, iterations: int) -> Heads:
        return Heads(self.basis @ weights[:, :-1], weights[:, -1], iterations)


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Share of samples whose label is among the ``k`` largest logits: [..., N, C], [N] -> [...]."""
    k = min(k, logits.shape[-1])
    return (logits.topk(k, dim=-1).indices == labels[:, None]).any(-1).double().mean(-1)
