"""The recipe of a cell: all resolved settings that decide what it computes, and their hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .budget import Budget
from .datasets.augment import View
from .datasets.base import Track
from .datasets.spec import Spec
from .errors import UserError
from .methods import Config, Method
from .methods.base import Count, Fraction, NonNegative
from .settings import Assignment, apply, nearest

LATER = {"later": True}
EXACT = {"exact": True}


@dataclass(frozen=True)
class Training:
    """What every method shares on a track: by default SGD with momentum under a cosine schedule.

    A recipe shows the fields marked ``later``, which came after the first records, where they are not at their defaults.
    """

    batch_size: Count
    lr: NonNegative  # at this batch size, after linear scaling
    weight_decay: NonNegative
    sgd_momentum: Fraction = 0.9  # MoCo, section 3.3
    lr_warmup: Fraction = 0.0  # share of the budget with a linearly rising learning rate
    compile: Literal["auto", "off"] = "auto"  # on CUDA only
    optimizer: Literal["sgd", "lars", "adamw"] = field(default="sgd", metadata=LATER)
    adam_beta2: Fraction = field(default=0.999, metadata=LATER)  # of AdamW; Loshchilov and Hutter 2019
    clip_norm: NonNegative = field(default=0.0, metadata=LATER)  # most that all gradients' norm may be; 0: whatever it is
    decay_norms: bool = field(default=True, metadata=LATER)  # False: biases and norms are spared from weight decay
    precision: Literal["auto", "fp32", "bf16"] = field(default="auto", metadata=LATER)  # auto: bf16 on CUDA, fp32 elsewhere
    # auto: on CUDA, where memory is short without. It changes no number, so that the recipe does not show it
    activation_checkpointing: Literal["auto", "on", "off"] = field(default="auto", metadata=EXACT)


def learning_rate(peak: float, warmup: float, progress: float) -> float:
    """Linear warm-up to ``peak``, then half a cosine down to zero at progress 1."""
    if progress < warmup:
        return peak * progress / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / max(1e-12, 1 - warmup))))


def shown(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass that a recipe shows: not those that change no number, nor later ones at their defaults."""
    fields = [f for f in dataclasses.fields(settings) if not f.metadata.get("exact")]
    values = {f.name: (f, getattr(settings, f.name)) for f in fields}
    return {name: value for name, (f, value) in values.items() if not (f.metadata.get("later") and value == f.default)}


@dataclass(frozen=True)
class Recipe:
    """One cell's settings, resolved; ``as_dict`` goes into the record."""

    spec: Spec
    track: Track
    backbone: str
    budget: Budget
    method: type[Method]
    config: Config
    training: Training
    given: dict[str, Any] = field(default_factory=dict, compare=False)  # what the user had chosen; not part of the hash

    @property
    def views(self) -> tuple[View, ...]:
        """What the method's loss takes."""
        return self.method.views(self.config, self.track.policy, self.track.size)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        plain = {
            "track": str(self.spec),
            "input_size": self.track.size,
            "policy": shown(self.track.policy),
            "backbone": self.backbone,
            "budget": str(self.budget),
            "method": self.method.name,
            "config": shown(self.config),
            "training": shown(self.training),
        }
        if self.track.side is not None:
            plain["side"] = self.track.side
        if any((view.policy, view.size) != (self.track.policy, self.track.size) for view in self.views):
            plain["views"] = [{"count": v.count, "size": v.size, "policy": shown(v.policy)} for v in self.views]
        if self.method.own_recipe is not None:
            plain["own_recipe"] = self.method.own_recipe.source
        return json.loads(json.dumps(plain))  # tuples become lists, as they will be read back

    def hash(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]


def resolve(
    spec: Spec,
    track: Track,
    images: int,
    method: type[Method],
    budget: Budget,
    backbone: str | None,
    batch_size: int | None,
    assignments: Sequence[Assignment],
) -> Recipe:
    """The recipe of ``method`` on so many train images; `UserError` where a setting or the batch does not fit them."""
    given_batch_size, batch_size = batch_size, min(track.batch_size, images) if batch_size is None else batch_size
    if batch_size > images:
        raise UserError(f"--batch-size {batch_size} exceeds the {images} train images of {spec}")
    if batch_size < 2:
        raise UserError(f"--batch-size {batch_size} is too small: a contrast needs at least 2 images")
    training = Training(batch_size, track.lr * batch_size / track.batch_size, track.weight_decay)
    if method.own_recipe is not None:
        own = method.own_recipe
        training = dataclasses.replace(training, lr=own.lr * batch_size / 256, **own.settings)
    fields = {f.name for f in dataclasses.fields(method.config_type)}
    chosen = {a.key: a.value for a in assignments if a.method is None} | {
        a.key: a.value for a in assignments if a.method == method.name
    }
    training = apply(training, {k: v for k, v in chosen.items() if k in training_keys()})
    config = apply(method.config_type(), {k: v for k, v in chosen.items() if k in fields})
    try:
        config = config.resolved(images, track.size)
    except ValueError as error:
        raise UserError(f"{method.name} on {spec}: {error}") from None
    reaching = [a for a in assignments if a.method in (None, method.name) and a.key in fields | training_keys()]
    given = {"batch_size": given_batch_size, "sets": [str(a) for a in reaching]}
    return Recipe(spec, track, track.backbone if backbone is None else backbone, budget, method, config, training, given)


def training_keys() -> set[str]:
    """The shared settings that ``--set`` reaches; the batch size has a flag of its own."""
    return {f.name for f in dataclasses.fields(Training)} - {"batch_size"}


def check_assignments(assignments: Sequence[Assignment], methods: Sequence[type[Method]]) -> None:
    """`UserError` where an assignment reaches no chosen method."""
    keys = {m.name: {f.name for f in dataclasses.fields(m.config_type)} | training_keys() for m in methods}
    for a in assignments:
        if a.method is not None and a.method not in keys:
            raise UserError(f"--set {a.method}.{a.key}: {a.method!r} is not among the chosen methods; {nearest(a.method, keys)}")
        reached = keys[a.method] if a.method else set().union(*keys.values())
        if a.key not in reached:
            raise UserError(f"--set {a.key}: no chosen method has this setting; {nearest(a.key, sorted(reached))}")
