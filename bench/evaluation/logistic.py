"""Multinomial logistic regression that solves all L2 strengths of a grid in one batched run.

Minimises mean cross-entropy + strength / 2 * |W|^2 (the bias has no penalty), which is scikit-learn's
``LogisticRegression(C=1 / (strength * N))``. N samples, D features, C classes, G strengths.

The solver is L-BFGS on features that are rotated into the eigenbasis of their covariance. In this basis the Hessian's
blocks are nearly diagonal, mean p (1 - p) times the eigenvalues plus the strength: a good initial metric (at zero weights it
is Newton's). Value, gradient and metric come from one pass over the features, in chunks that fit into the cache; strengths
that have converged are removed. Where D exceeds N, the basis is that of the features' row space, of at most N dimensions: the
penalty keeps the optimal weights inside it, so that the solution is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

ITERATIONS = 300  # at most
MEMORY = 10  # pairs kept by L-BFGS
ROWS = 2048  # of features in a chunk
SHRINK, TRIES = 0.3, 6  # of the line search
DESCENT = 1e-4  # share of the predicted descent that a step must achieve (Armijo)


class Heads(NamedTuple):
    """G linear classifiers: weight [G, D, C], bias [G, C]."""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """[G, N, C] of features [N, D]."""
        return features @ self.weight + self.bias[:, None]


class Standardizer(NamedTuple):
    """Mean and deviation of train features; a constant feature is left at zero, however small the others are."""

    mean: Tensor
    scale: Tensor

    @staticmethod
    def fit(features: Tensor) -> Standardizer:
        deviation = features.std(0, correction=0)
        least = 1e-6 * deviation.max().clamp(max=1)
        return Standardizer(features.mean(0), torch.where(deviation > least, deviation, torch.inf))

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale


def solve(
    features: Tensor,
    labels: Tensor,
    classes: int,
    strengths: Sequence[float],
    start: Heads | None = None,
    tolerance: float = 1e-5,
) -> Heads:
    """Fit one classifier for each of ``strengths`` on centred features float [N, D], labels int64 [N].

    Starts at ``start``, else at zero. A strength has converged when the predicted gain of a Newton step in the metric is less
    than the share ``tolerance`` of the objective, and of the gain since zero weights.
    """
    problem = _Problem(features, labels, classes, strengths)
    result = problem.parameters(start)
    live = torch.arange(len(result), device=result.device)
    state = _State(result.clone(), *problem.evaluate(result, problem.penalty), [])
    for _ in range(ITERATIONS):
        promise = (state.gradient.square() * state.metric).sum((1, 2)) / 2
        going = promise > tolerance * torch.minimum(state.value, math.log(classes) - state.value)
        result[live] = state.weights
        if not bool(going.any()):
            break
        if not bool(going.all()):
            live, state = live[going], state.keep(going)
        state, moved = _step(problem, state, problem.penalty[live])
        if not bool(moved.all()):  # no descent within floating-point precision: converged
            result[live] = state.weights
            live, state = live[moved], state.keep(moved)
            if not len(live):
                break
    return problem.heads(result)


class _State(NamedTuple):
    """The state of L-BFGS for each strength that has not converged."""

    weights: Tensor  # [G, D + 1, C]
    value: Tensor  # [G]
    gradient: Tensor  # as the weights
    metric: Tensor  # as the weights: an inverse of the Hessian's diagonal
    history: list[tuple[Tensor, Tensor, Tensor]]  # steps, changes of the gradient, 1 / their product [G]

    def keep(self, rows: Tensor) -> _State:
        history = [(s[rows], y[rows], r[rows]) for s, y, r in self.history]
        return _State(self.weights[rows], self.value[rows], self.gradient[rows], self.metric[rows], history)


def _step(problem: _Problem, state: _State, penalty: Tensor) -> tuple[_State, Tensor]:
    """One iteration with a backtracking line search; also returns which strengths moved, bool [G]."""
    direction = -_two_loop(state.gradient, state.history, state.metric)
    slope = (state.gradient * direction).sum((1, 2))
    size = torch.ones_like(slope)
    weights = state.weights + direction
    value, gradient, metric = problem.evaluate(weights, penalty)
    for _ in range(TRIES):
        short = ~(value <= state.value + DESCENT * size * slope)
        if not bool(short.any()):
            break
        size[short] *= SHRINK
        weights[short] = state.weights[short] + size[short, None, None] * direction[short]
        value[short], gradient[short], metric[short] = problem.evaluate(weights[short], penalty[short])
    moved = value < state.value
    kept = torch.where(moved[:, None, None], weights, state.weights)
    step, change = kept - state.weights, gradient - state.gradient
    curvature = (step * change).sum((1, 2))
    pair = (step, change, torch.where(curvature > 0, 1 / curvature, 0.0))
    return _State(kept, value, gradient, metric, [*state.history[-MEMORY + 1 :], pair]), moved


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


class _Point(NamedTuple):
    """Value [G], gradient and inverse Hessian diagonal [G, D + 1, C] of the objective."""

    value: Tensor
    gradient: Tensor
    metric: Tensor


def eigenbasis(features: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues [R] of the features' second moments, X'X / N, and eigenvectors [D, R], in double; features [N, D].

    R is D where N is at least D. Else they are computed from XX' / N, which has the same nonzero eigenvalues, without those
    at the level of rounding errors: R is the rank.
    """
    count, width = features.shape
    if width <= count:
        return torch.linalg.eigh((features.T @ features / count).double())
    gram = torch.zeros(count, count, dtype=torch.float64, device=features.device)
    for part in features.split(ROWS, dim=1):  # in parts, as a copy of wide features in double would need the most memory
        gram.addmm_(part.double(), part.T.double())
    values, left = torch.linalg.eigh(gram / count)
    real = values > values.sum() * torch.finfo(features.dtype).eps ** 2
    values, left = values[real], left[:, real]
    scaled = left / (values * count).sqrt()
    return values, torch.cat([part.T.double() @ scaled for part in features.split(ROWS, dim=1)])


class _Problem:
    """The objective in the eigenbasis; parameters [G, D + 1, C], the last row is the bias."""

    def __init__(self, features: Tensor, labels: Tensor, classes: int, strengths: Sequence[float]):
        values, basis = eigenbasis(features)
        self.basis = basis.to(features.dtype)
        self.x = torch.cat([features @ self.basis, features.new_ones(len(features), 1)], dim=1)
        self.labels, self.classes = labels, classes
        free = torch.cat([features.new_ones(len(values)), features.new_zeros(1)])[:, None]
        self.penalty = features.new_tensor(list(strengths))[:, None, None] * free  # [G, D + 1, 1]
        self.spread = torch.cat([values.clamp(min=0).to(features.dtype), features.new_ones(1)])[:, None]

    def parameters(self, start: Heads | None) -> Tensor:
        if start is None:
            return self.x.new_zeros(len(self.penalty), self.x.shape[1], self.classes)
        return torch.cat([self.basis.T @ start.weight, start.bias[:, None]], dim=1)

    def evaluate(self, weights: Tensor, penalty: Tensor) -> _Point:
        """The objective at ``weights`` under ``penalty`` [G, D + 1, 1], in one pass over the features."""
        groups, width, classes = weights.shape
        flat = weights.transpose(0, 1).reshape(width, groups * classes)
        gradient = torch.zeros_like(flat)
        value, variance = flat.new_zeros(groups), flat.new_zeros(groups, classes)
        for x, y in zip(self.x.split(ROWS), self.labels.split(ROWS), strict=True):
            log_p = (x @ flat).view(-1, groups, classes).log_softmax(2)
            own = y[:, None, None].expand(-1, groups, 1)
            value -= log_p.gather(2, own).sum((0, 2))
            p = log_p.exp_()
            variance += p.sum(0) - torch.linalg.vector_norm(p, dim=0).square()
            residual = p.scatter_add_(2, own, p.new_full((1, 1, 1), -1.0).expand_as(own))
            gradient.addmm_(x.T, residual.view(len(x), -1))
        count = len(self.x)
        gradient = gradient.view(width, groups, classes).transpose(0, 1) / count
        curvature = self.spread * variance[:, None] / count + penalty + 1e-8
        return _Point(value / count + (penalty * weights.square()).sum((1, 2)) / 2, gradient + penalty * weights, 1 / curvature)

    def heads(self, weights: Tensor) -> Heads:
        return Heads(self.basis @ weights[:, :-1], weights[:, -1])


def in_top_k(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Whether a sample's label is among the ``k`` largest logits: [..., N, C], [N] -> bool [..., N]."""
    k = min(k, logits.shape[-1])
    return (logits.topk(k, dim=-1).indices == labels[:, None]).any(-1)


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Share of samples whose label is among the ``k`` largest logits: [..., N, C], [N] -> [...]."""
    return in_top_k(logits, labels, k).double().mean(-1)
