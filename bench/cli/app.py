"""The command line itself, and what its commands share."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..folders import data_root, expanded

__all__ = [
    "AUTO", "Backbone", "BatchSize", "CellTimeout", "CheckpointEvery", "DataDir", "DryRun", "Existing", "Gpus", "Methods",
    "OnExisting", "Out", "Runs", "Sets", "Timed", "TrainOn", "Workers", "app", "console", "data_app", "data_root", "home", "warn",
]  # fmt: skip

app = typer.Typer(
    help="Which self-supervised method learns the better representation under one budget, and at what cost?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Get datasets, and see which are ready.")
app.add_typer(data_app, name="data")


class Output(Console):
    """The terminal; a closed pipe is an error with a message rather than a silent end."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


console = Output(highlight=False, emoji=False)


def home(path: Path | None) -> Path | None:
    """The callback of every option that is a path: ``--out=~/x``."""
    return path and expanded(path)


DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", callback=home, help="Where prepared datasets are kept; else $BENCH_DATA, else a cache folder."),
]
Out = Annotated[Path, typer.Option(callback=home, help="Folder of the records and tables.")]
Runs = Annotated[
    Path | None,
    typer.Option(
        callback=home,
        help="Folder of checkpoints and encoders; else runs next to --out results, NAME-runs next to --out NAME.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: of every method that has the key, this variant; method.key=value: of one."),
]
Methods = Annotated[
    str, typer.Option(help="all, or names with commas; * is a wildcard. simclr:temperature=0.1|0.5 makes two of one.")
]
BatchSize = Annotated[int | None, typer.Option(help="As --set batch_size=N: images a step; scales the learning rate.")]
Gpus = Annotated[str | None, typer.Option(help="One worker a GPU: all, or 0,2,3.")]
Workers = Annotated[
    int | None, typer.Option(min=1, max=1024, help="So many cells at a time on this machine's CPUs, its cores divided.")
]
Backbone = Annotated[str | None, typer.Option(help="A timm name; else the dataset's default.")]
CellTimeout = Annotated[str | None, typer.Option(help="A cell that runs longer than this (90s, 2h) has failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, with what records say of its time and disk, and stop.")]
Timed = Annotated[bool, typer.Option("--estimate", help="As --dry-run; without records, a few steps are trained.")]


class OnExisting(str, Enum):
    skip = "skip"
    rerun = "rerun"
    failed = "failed"
    stale = "stale"


Existing = Annotated[
    OnExisting, typer.Option(help="Cells that have a record: skip, rerun, or rerun those that failed or are stale.")
]
CheckpointEvery = Annotated[
    str | None, typer.Option(help="1ep, 500steps, 5min; else the smaller of 5% of the budget and 10 minutes.")
]


AUTO = "auto"
TrainOn = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:1.")]


def on_command_line(context: typer.Context) -> list[Any]:
    """The parameters that were given, not left at their defaults."""
    sources = [(one, context.get_parameter_source(one.name or "")) for one in context.command.params]
    return [one for one, source in sources if source is not None and source.name == "COMMANDLINE"]


def width() -> int | None:
    """The terminal's width; None where the output goes elsewhere."""
    return console.width if console.is_terminal else None


def warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)
