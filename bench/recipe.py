"""The recipe of a cell: all resolved settings that decide what it computes, and their hash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from . import own_code
from .budget import Budget
from .contenders import LONGEST, Contender
from .datasets.augment import View
from .datasets.base import Track
from .datasets.spec import Spec
from .errors import UserError
from .methods import Config, Method
from .methods.base import Count, Decay, Fraction, NonNegative
from .settings import apply, convert, nearest, written

LATER = {"later": True}
EXACT = {"exact": True}


@dataclass(frozen=True)
class Training:
    """The training settings that all methods share on a track: by default SGD with momentum under a cosine schedule.

    Fields marked ``later`` were added after the first records: a recipe shows them only where they are not at their
    defaults, so that old records keep their hashes.
    """

    batch_size: Count
    lr: NonNegative  # at this batch size, after linear scaling
    weight_decay: NonNegative
    sgd_momentum: Decay = 0.9  # MoCo, section 4
    lr_warmup: Fraction = 0.0  # share of the budget with a linearly rising learning rate
    compile: Literal["auto", "on", "off"] = "auto"  # auto: on CUDA, where it works
    optimizer: Literal["sgd", "lars", "adamw"] = field(default="sgd", metadata=LATER)
    adam_beta2: Decay = field(default=0.999, metadata=LATER)  # of AdamW; Loshchilov and Hutter 2019
    clip_norm: NonNegative = field(default=0.0, metadata=LATER)  # largest norm of all gradients together; 0: no limit
    decay_norms: bool = field(default=True, metadata=LATER)  # False: biases and norms have no weight decay
    precision: Literal["auto", "fp32", "bf16"] = field(default="auto", metadata=LATER)  # auto: bf16 on CUDA, fp32 elsewhere
    # auto: on CUDA where memory does not suffice without it. It changes no number, so the recipe does not show it
    activation_checkpointing: Literal["auto", "on", "off"] = field(default="auto", metadata=EXACT)


def learning_rate(peak: float, warmup: float, progress: float) -> float:
    """Linear warm-up to ``peak``, then half a cosine down to zero at progress 1."""
    if progress < warmup:
        return peak * progress / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / max(1e-12, 1 - warmup))))


def shown(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass that a recipe shows: without those that change no number, and later ones at their defaults."""
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
    contender: Contender
    backbone_source: str = ""  # SHA-256 of the file of a backbone that is FILE.py:Class
    given: dict[str, Any] = field(default_factory=dict, compare=False)  # settings before they were resolved, with defaults

    @property
    def views(self) -> tuple[View, ...]:
        """The views that the method's loss takes."""
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
        if self.backbone_source:
            plain["backbone_source"] = self.backbone_source
        if self.track.side is not None:
            plain["side"] = self.track.side
        if any((view.policy, view.size) != (self.track.policy, self.track.size) for view in self.views):
            plain["views"] = [{"count": v.count, "size": v.size, "policy": shown(v.policy)} for v in self.views]
        if self.method.own_recipe is not None:
            plain["own_recipe"] = self.method.own_recipe.source
        return json.loads(json.dumps(plain))  # tuples become lists, as in a record that is read

    def hash(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]


def resolve(
    spec: Spec,
    track: Track,
    images: int,
    method: type[Method],
    budget: Budget,
    backbone: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Recipe:
    """The recipe of ``method`` with these ``settings`` on ``images`` train images; `UserError` where a setting does not fit."""
    chosen = dict(settings or {})
    for key in chosen:
        check_key(method, key)

    def made(of: Mapping[str, str]) -> tuple[Training, Config]:
        return _resolved(spec, track, images, method, of)

    training, config = made(chosen)
    backbone = track.backbone if backbone is None else backbone
    return Recipe(
        spec,
        replace(track, read=None, tree=None, forms=(), files=()),  # functions are no settings, and cannot be pickled
        backbone,
        budget,
        method,
        config,
        training,
        _contender(method, chosen, made),
        own_code.digest(backbone) if own_code.parts(backbone) else "",
        {"settings": {key: _written(method, key, chosen[key]) for key in sorted(chosen)}},
    )


def _resolved(spec: Spec, track: Track, images: int, method: type[Method], chosen: Mapping[str, str]) -> tuple[Training, Config]:
    fields = config_keys(method)
    shared = {k: v for k, v in chosen.items() if k not in fields}
    batch_size = min(track.batch_size, images)
    if "batch_size" in shared:
        batch_size = convert(Training, "batch_size", shared["batch_size"])
    if batch_size > images:
        raise UserError(f"batch_size={batch_size} exceeds the {images} train images of {spec}")
    if batch_size < 2:
        raise UserError(f"batch_size={batch_size} is too small: a contrast needs at least 2 images")
    training = apply(_shared(track, method, batch_size), shared)
    config = apply(method.config_type(), {k: v for k, v in chosen.items() if k in fields})
    try:
        return training, config.resolved(images, track.size)
    except ValueError as error:
        raise UserError(f"{method.name} on {spec}: {error}") from None


def _shared(track: Track, method: type[Method], batch_size: int) -> Training:
    """The training settings of the track, or of the method's own recipe where it has one."""
    training, own = Training(batch_size, track.lr * batch_size / track.batch_size, track.weight_decay), method.own_recipe
    return training if own is None else replace(training, lr=own.lr * batch_size / 256, **own.settings)


def _contender(
    method: type[Method], chosen: Mapping[str, str], made: Callable[[Mapping[str, str]], tuple[Training, Config]]
) -> Contender:
    """The canonical contender: without settings that are equal to the defaults, and each value in its canonical form."""
    kept = {key: _written(method, key, chosen[key]) for key in sorted(chosen)}
    whole = [shown(part) for part in made(kept)]
    for key in list(kept):
        fewer = {k: v for k, v in kept.items() if k != key}
        try:
            same = [shown(part) for part in made(fewer)] == whole
        except UserError:  # the others are valid only together with this one
            continue
        kept = fewer if same else kept
    found = Contender(method.name, kept)
    if len(str(found).encode()) > LONGEST:
        raise UserError(f"{str(found)[:60]}... is too long for the name of a folder: at most {LONGEST} bytes")
    return found


def _written(method: type[Method], key: str, text: str) -> str:
    return written(convert(method.config_type if key in config_keys(method) else Training, key, text))


def config_keys(method: type[Method]) -> set[str]:
    """The settings of the method itself."""
    return {f.name for f in dataclasses.fields(method.config_type)}


def training_keys() -> set[str]:
    """The settings that all trained methods share."""
    return {f.name for f in dataclasses.fields(Training)}


def setting_keys(method: type[Method]) -> set[str]:
    """All settings that a spec of ``method`` may give: its own and, where it trains, the shared ones."""
    return config_keys(method) | (training_keys() if method.trains else set())


def check_key(method: type[Method], key: str) -> None:
    """`UserError` unless ``key`` is a setting of ``method``."""
    if key not in setting_keys(method):
        known = sorted(setting_keys(method))
        raise UserError(f"{method.name} has no setting {key!r}: {nearest(key, known) if known else 'it has none'}")
