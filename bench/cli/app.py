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
Runs = Annotated[
    Path | None,
    typer.Option(help="Folder of checkpoints and encoders; else runs beside --out results, NAME-runs beside --out NAME."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")]


class OnExisting(str, Enum):
    skip = "skip"
    rerun = "rerun"
    failed = "failed"
    stale = "stale"


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


TrainOn = Annotated[Device, typer.Option("--device", help="Where to train.")]


def data_root(given: Path | None) -> Path:
    """The folder of prepared datasets; below the current one where nobody has a home."""
    if given or os.environ.get("BENCH_DATA"):
        return given or Path(os.environ["BENCH_DATA"])
    try:
        return Path(user_cache_dir("ssl-bench"))
    except (RuntimeError, KeyError, OSError):  # no $HOME, and no entry in the list of users
        return Path("ssl-bench-data")


def runs_root(given: Path | None, out: Path) -> Path:
    """The folder of checkpoints and encoders: of its own for every ``out``, so that two of them never share a file."""
    place = Path(os.path.normpath(out.absolute()))
    return given or place.parent / ("runs" if place.name == "results" else f"{place.name}-runs")


def warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)
