"""Stale records: made under settings, a protocol, data or a state format that differ from today's code.

Today's recipe is resolved from the settings that the user gave, not from the recipe in the record: so it shows changed
defaults, new or removed settings, and changed augmentation. No data are read.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import recorded, versions
from ..datasets.errors import DataError
from ..errors import UserError
from ..records import Record

if TYPE_CHECKING:  # `remembered` may know today's recipes, without torch
    from ..recipe import Recipe

SHOWN = 3  # differing settings that a reason names


def reasons(records: Sequence[Record]) -> list[list[str]]:
    """For each record the reasons why it is stale; empty where it is not."""
    usual = _usual_fingerprints(records)
    return [_of_code(record) + _of_data(record, usual.get(record.track), "most records of this track have") for record in records]


def against(record: Record, recipe: Recipe, fingerprint: str) -> list[str]:
    """Why ``record`` is stale against the recipe and data of a run that is about to start."""
    return _versions(record) + _settings(record.recipe, recipe.as_dict()) + _of_data(record, fingerprint, "today")


def _of_code(record: Record) -> list[str]:
    why = _versions(record)
    if record.role == "external":  # it has no recipe
        return why
    try:
        today = recorded.today(record)
    except (UserError, DataError) as error:
        return [*why, f"cannot be run today: {error}"]
    told = record.given is not None and record.data.get("train")
    return why + _settings(record.recipe, today if told else _take_over(record.recipe, today))


def _take_over(found: dict[str, Any], today: dict[str, Any]) -> dict[str, Any]:
    """For a record without a full recipe, such as that of a cell that failed early, assume today's settings."""
    sections = {
        name: {key: found.get(name, {}).get(key, value) for key, value in today[name].items()} for name in ("config", "training")
    }
    return today | sections


def _versions(record: Record) -> list[str]:
    why = []
    if record.protocol != versions.PROTOCOL:
        why.append(f"protocol {record.protocol or 'unknown'}, today {versions.PROTOCOL}")
    if record.state_version not in (None, versions.STATE):
        why.append(f"state version {record.state_version}, today {versions.STATE}")
    return why


def _settings(found: dict[str, Any], today: dict[str, Any]) -> list[str]:
    old, new = _flat(found), _flat(today)
    changed = [key for key in sorted(old.keys() | new.keys()) if old.get(key, ...) != new.get(key, ...)]
    if not changed:
        return []
    said = [f"{key} {_show(old, key)}, today {_show(new, key)}" for key in changed[:SHOWN]]
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return ["recipe: " + "; ".join(said) + more]


def _show(values: dict[str, Any], key: str) -> str:
    return json.dumps(values[key]) if key in values else "absent"


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _of_data(record: Record, fingerprint: str | None, whose: str) -> list[str]:
    found = record.data.get("fingerprint")
    if not found or not fingerprint or found == fingerprint:
        return []
    return [f"data {found[:12]}, {whose} {fingerprint[:12]}"]


def _usual_fingerprints(records: Sequence[Record]) -> dict[str, str]:
    """By track the fingerprint of most of its records, as the data need not be on this machine."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if record.data.get("fingerprint"):
            counts[record.track][record.data["fingerprint"]] += 1
    return {track: min(found, key=lambda print_: (-found[print_], print_)) for track, found in counts.items()}
