"""The description of a prepared dataset, in its ``meta.json``."""

from __future__ import annotations

import json
from pathlib import Path

from .base import DataError

FORMAT = 1
SPLITS = ("train", "test")


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
    if not isinstance(splits, dict) or not isinstance(meta.get("classes"), int) or not isinstance(meta.get("fingerprint"), str):
        return False
    described = [splits.get(split) for split in SPLITS]
    return all(isinstance(d, dict) and isinstance(d.get("images"), int) and isinstance(d.get("bytes"), int) for d in described)
