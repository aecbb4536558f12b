"""The description of a prepared dataset, in its ``meta.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .base import DataError

FORMAT = 1
SPLITS = ("train", "test")
ARRAYS = {"images": 4, "labels": 1, "sizes": 2}  # of a split, each in its own file, and their dimensions; sizes are optional
NEEDED = {"classes": int, "fingerprint": str}
OPTIONAL = {
    "hashed_by": int,
    "side": int,
    "class_list": str,
    "class_names": list,
    "duplicates": int,
    "kind": str,
    "left_out": dict,
}


def read_meta(folder: Path) -> dict | None:
    """The description of a prepared track, or None where there is none; `DataError` where it is damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{folder / 'meta.json'} is damaged ({error}); prepare the dataset again") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise DataError(f"{folder} was prepared by another version; prepare the dataset again")
    if not _is_whole(meta):
        raise DataError(f"{folder / 'meta.json'} is damaged; prepare the dataset again")
    return meta


def _is_whole(meta: dict) -> bool:
    splits = meta.get("splits")
    if not isinstance(splits, dict) or not _fits(meta, NEEDED, OPTIONAL) or not meta["fingerprint"].isascii():
        return False
    return all(_fits(splits.get(split), {"images": int, "bytes": int}, {"digests": dict, "names": str}) for split in SPLITS)


def _fits(found: Any, needed: Mapping[str, type], optional: Mapping[str, type]) -> bool:
    """Whether ``found`` has entries of these types; whole numbers are at least 0, and none is larger than a file can be."""
    if not isinstance(found, dict) or not needed.keys() <= found.keys():
        return False
    kinds = {key: kind for key, kind in {**needed, **optional}.items() if key in found}
    numbers = [found[key] for key, kind in kinds.items() if kind is int]
    return all(type(found[key]) is kind for key, kind in kinds.items()) and all(0 <= number < 2**63 for number in numbers)
