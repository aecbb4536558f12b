"""What the settings of a record mean today: its recipe, and the name of its contender."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .budget import parse_budget
from .contenders import Contender, parse_contender
from .datasets import folder
from .datasets.base import DataError
from .datasets.registry import track_of
from .datasets.spec import parse_spec
from .errors import UserError
from .methods import registry
from .recipe import Recipe, resolve, setting_keys
from .records import Record
from .settings import parse_assignments

MANY = 10**6  # stands for a number of train images that a record does not tell


def recipe(record: Record, contender: Contender | None = None) -> Recipe:
    """Today's recipe of a record's settings, or of ``contender`` in its place; `UserError` or `DataError` where there is none."""
    chosen = contender or _chosen(record)
    place = [record.track, record.backbone, record.budget, record.data.get("train"), record.recipe.get("side")]
    return _recipe(json.dumps([chosen.method, sorted(chosen.settings.items()), *place]))


@cache
def _recipe(key: str) -> Recipe:
    method, settings, track, backbone, budget, images, side = json.loads(key)
    if method not in registry():
        raise UserError(f"there is no method {method!r}")
    spec = parse_spec(track)
    found = track_of(spec) if side is None else folder.track(spec.name, side).at(spec.px)
    return resolve(spec, found, images or MANY, registry()[method], parse_budget(budget), backbone, dict(settings))


def _chosen(record: Record) -> Contender:
    """As the record's contender says, or what was given before there were contenders."""
    if "sets" not in (record.given or {}):
        return parse_contender(record.contender or record.method)
    given: dict[str, Any] = record.given or {}
    settings = {a.key: a.value.replace(",", "+") for a in parse_assignments(given["sets"])}
    if given.get("batch_size") is not None:
        settings["batch_size"] = str(given["batch_size"])
    method = registry().get(record.method)
    return Contender(record.method, {k: v for k, v in settings.items() if method is None or k in setting_keys(method)})


def contender(record: Record) -> str:
    """The name of the contender that the record is of: canonical where today's code can resolve it."""
    try:
        return str(recipe(record).contender)
    except (UserError, DataError):
        return str(_chosen(record))


def called(text: str, record: Record) -> str:
    """What the method spec ``text`` is called under the conditions of ``record``: without settings that are defaults there."""
    try:
        return str(recipe(record, parse_contender(text)).contender)
    except (UserError, DataError):
        return text
