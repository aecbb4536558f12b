"""The harness. `bench.methods` and `bench.datasets` are links to the folders of those names next to this one.

As a top-level package, `datasets` would conflict with the Hugging Face package of that name.

The functions for notebooks are attributes too, imported on first use: `run`, `leaderboard`, `tune`, `tuned`, `evaluate`,
`load_encoder` (see `bench.api`), and the module `records`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import records
    from .api import evaluate, leaderboard, load_encoder, run, tune, tuned

__all__ = ["evaluate", "leaderboard", "load_encoder", "records", "run", "tune", "tuned"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return (
        importlib.import_module(f"{__name__}.records")
        if name == "records"
        else getattr(importlib.import_module(f"{__name__}.api"), name)
    )


def __dir__() -> list[str]:
    return __all__
