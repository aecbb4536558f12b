"""The command line itself, and what its commands share."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_cache_dir
from rich.console import Console

app = typer.Typer(
    help="Which self-supervised method learns the better representation under one budget, and at what cost?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Get datasets, and see which are ready.")
app.add_typer(data_app, name="data")
console = Console(highlight=False)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where prepared datasets lie; else $BENCH_DATA, else the user's cache folder.")
]
Out = Annotated[Path, typer.Option(help="Folder of the records and tables.")]


class OnExisting(str, Enum):
    skip = "skip"
    rerun = "rerun"
    failed = "failed"
    stale = "stale"


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def data_root(given: Path | None) -> Path:
    """The folder of prepared datasets."""
    return given or Path(os.environ.get("BENCH_DATA") or user_cache_dir("ssl-bench"))


def warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)
