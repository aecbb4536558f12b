"""Checkpoints: one explicit state, written atomically, read without running any code from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

STATE_VERSION = 2  # changes whenever the meaning of a saved state does


def save(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Write ``state`` under ``identity``; an earlier checkpoint stays whole until this one is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        torch.save({"version": STATE_VERSION, "identity": identity, "state": state}, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path, identity: str, device: torch.device) -> dict[str, Any] | None:
    """The state saved under this ``identity`` by this version of the code; None where there is none to go on from."""
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
    except Exception:  # missing or damaged in any way: the cell begins anew
        return None
    if not isinstance(saved, dict) or saved.get("version") != STATE_VERSION or saved.get("identity") != identity:
        return None
    state = saved["state"]
    return state | {"rng": state["rng"].cpu(), "cuda_rng": None if state["cuda_rng"] is None else state["cuda_rng"].cpu()}
