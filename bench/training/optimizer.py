"""Builds the optimizer of a recipe for the parameter groups of a method."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import torch
from timm.optim import Lars
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from ..methods import Group, Method
from ..recipe import Training, learning_rate


def groups_of(method: Method, training: Training) -> list[Group]:
    """All trained parameters in groups: first the parameters that are in none of the method's groups, then these groups.

    Where the recipe has no weight decay for norms and biases, parameters of fewer than two dimensions get groups of their own.
    """
    own = method.groups()
    named = {id(p) for group in own for p in group.parameters}
    rest = Group([p for p in method.parameters() if id(p) not in named])
    groups = [g._replace(parameters=[p for p in g.parameters if p.requires_grad]) for g in (rest, *own)]
    if not training.decay_norms:
        groups = list(itertools.chain.from_iterable(map(_split, groups)))
    return [group for group in groups if group.parameters]


def _split(group: Group) -> Iterable[Group]:
    flat = [p for p in group.parameters if p.ndim < 2]
    yield group._replace(parameters=[p for p in group.parameters if p.ndim >= 2])
    yield group._replace(parameters=flat, weight_decay=0.0)


def build(groups: Sequence[Group], training: Training, device: torch.device) -> Optimizer:
    """SGD with momentum, LARS (You et al. 2017, as timm has it) or AdamW, with the recipe's settings."""
    t = training
    decays = [t.weight_decay if g.weight_decay is None else g.weight_decay for g in groups]
    parameters = [{"params": list(g.parameters), "weight_decay": wd} for g, wd in zip(groups, decays, strict=True)]
    fused = device.type == "cuda"
    if t.optimizer == "lars":  # timm adapts nothing whose decay is 0, which is meant for groups that ask for it, not for a recipe
        parameters = [{**entry, "always_adapt": g.weight_decay is None} for entry, g in zip(parameters, groups, strict=True)]
    made: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(parameters, lr=t.lr, momentum=t.sgd_momentum, weight_decay=t.weight_decay, fused=fused),
        "lars": lambda: Lars(parameters, lr=t.lr, momentum=t.sgd_momentum, weight_decay=t.weight_decay),
        "adamw": lambda: AdamW(parameters, lr=t.lr, betas=(0.9, t.adam_beta2), weight_decay=t.weight_decay, fused=fused),
    }
    return made[t.optimizer]()


def set_rates(optimizer: Optimizer, groups: Sequence[Group], training: Training, progress: float) -> None:
    """Set each group's learning rate at ``progress``."""
    scheduled = learning_rate(training.lr, training.lr_warmup, progress)
    for entry, group in zip(optimizer.param_groups, groups, strict=True):
        entry["lr"] = group.factor(progress) * (scheduled if group.scheduled else training.lr)


def limit_gradients(groups: Sequence[Group], training: Training, progress: float) -> None:
    """Remove the gradients of frozen groups, and clip the others to the recipe's norm."""
    for group in groups:
        if group.factor(progress) == 0:
            for parameter in group.parameters:
                parameter.grad = None
    if training.clip_norm:
        nn.utils.clip_grad_norm_([p for group in groups for p in group.parameters], training.clip_norm)
