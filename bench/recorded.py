"""Resolves the settings of a record with today's code: its recipe, and the canonical name of its contender."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from . import own_code
from .budget import parse_budget
from .contenders import Contender, parse_contender
from .datasets import folder
from .datasets.errors import DataError
from .datasets.registry import track_of
from .datasets.spec import parse_spec
from .errors import UserError
from .methods import registry
from .records import Record, is_of_before
from .remembered import remembered

if TYPE_CHECKING:
    from .recipe import Recipe

MANY = 10**6  # stands for the number of train images where a record has none


def today(record: Record) -> dict[str, Any]:
    """Today's recipe for a record's settings, as plain values; `UserError` or `DataError` where they are not valid today."""
    return _plain(record, _chosen(record))["recipe"]


def _plain(record: Record, contender: Contender) -> dict[str, Any]:
    """Today's recipe and canonical name of a contender; loads torch only where `remembered` does not have them."""
    if contender.method not in registry():
        raise UserError(f"there is no method {contender.method!r}")
    key = _key(record, contender)

    def make() -> dict[str, Any]:
        found = _recipe(key)
        return {"recipe": found.as_dict(), "contender": str(found.contender)}

    return make() if registry().package(contender.method) else remembered(key, make)


def _key(record: Record, contender: Contender) -> str:
    place = [record.track, record.backbone, record.budget, record.data.get("train"), record.recipe.get("side")]
    source = [own_code.digest(record.backbone)] if own_code.parts(record.backbone) else []  # shows an edit of the file
    return json.dumps([contender.method, sorted(contender.settings.items()), *place, *source])


@cache
def _recipe(key: str) -> Recipe:
    from .recipe import resolve

    method, settings, track, backbone, budget, images, side, *_ = json.loads(key)
    if method not in registry():
        raise UserError(f"there is no method {method!r}")
    spec = parse_spec(track)
    found = track_of(spec) if side is None else folder.track(spec.name, side).at(spec.px)
    return resolve(spec, found, images or MANY, registry()[method], parse_budget(budget), backbone, dict(settings))


def _chosen(record: Record) -> Contender:
    """The settings of the record's contender. In records older than contenders, some may not belong to the method."""
    found = parse_contender(record.contender or record.method)
    if not found.settings or found.method not in registry() or not is_of_before(record):
        return found
    known = remembered(f"settings of {found.method}", lambda: _keys(found.method))
    return Contender(found.method, {k: v for k, v in found.settings.items() if k in known})


def _keys(method: str) -> list[str]:
    from .recipe import setting_keys

    return sorted(setting_keys(registry()[method]))


def contender(record: Record) -> str:
    """The name of the record's contender, canonical where today's code can resolve it."""
    try:
        return _plain(record, _chosen(record))["contender"]
    except (UserError, DataError):
        return str(_chosen(record))


def trials(record: Record, base: str, number: int) -> list[str]:
    """The names of the first ``number`` trials of a search around ``base``, on the track, backbone and budget of ``record``."""
    try:
        key = _key(record, parse_contender(base))
    except UserError:  # the file of the user's own backbone is gone, and with it today's recipe
        return []

    def make() -> list[str]:
        from . import search

        try:
            found = search.trials(_recipe(key), number)
            return [str(_recipe(_key(record, one)).contender) for one in found]
        except (UserError, DataError):  # remembered too: ``base`` may itself be a trial, around which nothing is searched
            return []

    return make() if registry().package(parse_contender(base).method) else remembered(f"{number} trials of {key}", make)


def called(text: str, record: Record) -> str:
    """The canonical name of the method spec ``text`` on the track, backbone and budget of ``record``: without its defaults."""
    try:
        return _plain(record, parse_contender(text))["contender"]
    except (UserError, DataError):
        return text
