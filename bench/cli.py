"""The command line: parsing and printing only."""

from __future__ import annotations

import os
import sys
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import typer
from platformdirs import user_cache_dir
from rich.console import Console

from .errors import Stopped, UserError

app = typer.Typer(
    help="Which self-supervised method learns the better representation under one budget, and at what cost?",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Get datasets, and see which are ready.")
app.add_typer(data_app, name="data")
console = Console(highlight=False)
USAGE_ERROR: Any = typer.BadParameter.__base__  # click's UsageError, whichever copy of click this Typer uses

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where prepared datasets lie; else $BENCH_DATA, else the user's cache folder.")
]
Out = Annotated[Path, typer.Option(help="Folder of the records and tables.")]


class OnExisting(str, Enum):
    skip = "skip"
    rerun = "rerun"
    failed = "failed"
    stale = "stale"


class Listed(str, Enum):
    methods = "methods"
    datasets = "datasets"
    results = "results"


class Device(str, Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def data_root(given: Path | None) -> Path:
    """The folder of prepared datasets."""
    return given or Path(os.environ.get("BENCH_DATA") or user_cache_dir("ssl-bench"))


@app.command()
def run(
    methods: Annotated[str, typer.Option(help="all, or names with commas; * is a wildcard.")] = "all",
    datasets: Annotated[str, typer.Option(help="auto, or specs with commas, such as cifar100:classes=20,fraction=0.1.")] = "auto",
    budget: Annotated[str, typer.Option(help="What each may spend: 200ep, 50000steps, 10Mimg, 90s, 30min, 2h.")] = "200ep",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds 0 to N - 1 of every method.")] = 3,
    backbone: Annotated[str | None, typer.Option(help="A timm name; else the dataset's default.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images a step; else the dataset's default. The learning rate scales with it.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    out: Out = Path("results"),
    runs: Annotated[Path | None, typer.Option(help="Folder of checkpoints and encoders; else runs, beside --out.")] = None,
    on_existing: Annotated[
        OnExisting, typer.Option(help="Cells that have a record: skip, rerun, or rerun those that failed or are stale.")
    ] = OnExisting.skip,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value for every method that has the key, method.key=value for one. Repeatable."),
    ] = None,
    checkpoint_every: Annotated[
        str | None, typer.Option(help="1ep, 500steps, 5min; else the smaller of 5% of the budget and 10 minutes.")
    ] = None,
    cell_timeout: Annotated[str | None, typer.Option(help="A cell that runs longer than this (90s, 2h) has failed.")] = None,
    data_dir: DataDir = None,
    log: Annotated[str, typer.Option(help="Also send the curves to tensorboard, wandb, or both with a comma.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Train and evaluate every chosen method under one budget, then print the leaderboard."""
    from . import session

    options = session.Options(
        methods=methods,
        datasets=datasets,
        budget=budget,
        seeds=seeds,
        backbone=backbone,
        batch_size=batch_size,
        device=device.value,
        out=out,
        runs=runs or out.absolute().parent / "runs",
        on_existing=on_existing.value,
        sets=tuple(sets or ()),
        data_root=data_root(data_dir),
        log=log,
        checkpoint_every=checkpoint_every,
        cell_timeout=cell_timeout,
    )
    raise typer.Exit(session.run(options, console, dry_run))


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(help="methods, datasets or results.")],
    pattern: Annotated[str, typer.Argument(help="Only names that match, with * as wildcard.")] = "*",
    out: Out = Path("results"),
    stale: Annotated[bool, typer.Option("--stale", help="Of results, those that are stale, and why.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List methods, datasets or results."""
    from . import listing

    if stale and what is not Listed.results:
        raise UserError(f"--stale goes with `list results`, not with {what.value}")
    rows = {
        Listed.methods: listing.methods,
        Listed.datasets: lambda: listing.datasets(data_root(data_dir)),
        Listed.results: lambda: (listing.stale_results if stale else listing.results)(out, warn),
    }[what]()
    chosen = [row for row in rows if fnmatchcase(row[0], pattern)]
    if not chosen and pattern != "*":
        raise UserError(f"no {what.value} match {pattern!r}")
    console.print(
        listing.columns(chosen) if chosen else f"no {what.value} {'are stale' if stale else 'yet'}", markup=False, soft_wrap=True
    )


@data_app.command("list")
def data_list(data_dir: DataDir = None) -> None:
    """Which datasets are ready, how large they are, and where."""
    from . import listing

    console.print(listing.columns(listing.datasets(data_root(data_dir))), markup=False, soft_wrap=True)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A dataset; see `data list`.")],
    source: Annotated[Path | None, typer.Option("--from", help="Folder with its files; else they are downloaded.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a dataset, or take it from a folder; verify and prepare it."""
    from .datasets.prepare import get
    from .datasets.registry import find

    folder = get(find(name), data_root(data_dir), source)
    console.print(f"{name} is ready in {folder}", markup=False, soft_wrap=True)


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="A dataset; else every one that is prepared.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Read prepared datasets in full and list everything that is wrong with them."""
    from .datasets import verify

    problems = 0
    for checked, found in verify.check(name, data_root(data_dir)):
        problems += len(found)
        for line in found:
            console.print(f"bad  {checked}: {line}", markup=False, soft_wrap=True)
        if not found:
            console.print(f"ok   {checked}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def report(
    out: Out = Path("results"),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 where a file is out of date.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: renew the files whenever a record changes, until Ctrl-C.")
    ] = False,
    png: Annotated[bool, typer.Option("--png", help="The figures as PNG too.")] = False,
) -> None:
    """Rebuild tables, figures and the page (index.html) from the records alone."""
    from . import report as report_module

    if not out.is_dir():
        raise UserError(f"--out {out} is not a folder")
    if watch and check:
        raise UserError("--watch writes and --check does not: give one of them")
    if watch:
        from . import live

        console.print(f"watching {out}; open {out / report_module.PAGE} in a browser, Ctrl-C ends", markup=False, soft_wrap=True)
        live.watch(out, lambda on: _renew(out, png, on))
        return
    if not check:
        _renew(out, png)
        return
    files, problems = report_module.render(out, png=png)
    for problem in problems:
        warn(problem)
    old = report_module.outdated(files)
    for path in old:
        console.print(f"out of date: {path}", markup=False, soft_wrap=True)
    console.print("run `python -m bench report`" if old else "every file is up to date", markup=False)
    raise typer.Exit(1 if old else 0)


def _renew(out: Path, png: bool, live: bool = False) -> None:
    from . import report as report_module

    files, problems = report_module.render(out, live, png)
    for problem in problems:
        warn(problem)
    for path in report_module.write(files):
        console.print(f"{'wrote' if path.exists() else 'removed'} {path}", markup=False, soft_wrap=True)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A method, or a folder of records: before.")],
    b: Annotated[str, typer.Argument(help="Another one of the same kind: after.")],
    out: Out = Path("results"),
    track: Annotated[str, typer.Option(help="Only these tracks; * is a wildcard.")] = "*",
    backbone: Annotated[str, typer.Option(help="Only these backbones.")] = "*",
    budget: Annotated[str, typer.Option(help="Only these budgets.")] = "*",
) -> None:
    """Compare two methods or two result folders, paired by seed.

    Exit code: 0 where B is nowhere significantly worse than A (5%, Holm over the table), 1 where it is or where
    all its cells failed, 2 where there is nothing to compare.
    """
    from . import compare as compare_module

    found = compare_module.compare(a, b, out, (track, backbone, budget))
    text = compare_module.table(found).to_markdown(index=False, disable_numparse=True)
    console.print(f"A: {a}\nB: {b}\n\n{text}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if compare_module.is_worse(found) else 0)


@app.command()
def experiment(
    name: Annotated[str, typer.Argument(help="A file of the folder experiments, such as class-count, or a path to one.")],
    device: Annotated[Device, typer.Option(help="Where to train.")] = Device.auto,
    out: Out = Path("results"),
    runs: Annotated[Path | None, typer.Option(help="Folder of checkpoints and encoders; else runs, beside --out.")] = None,
    on_existing: Annotated[
        OnExisting, typer.Option(help="Cells that have a record: skip, rerun, or rerun the failed ones.")
    ] = OnExisting.skip,
    data_dir: DataDir = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Run the cells of an experiment file, then draw its figure and write its table."""
    from . import experiment as experiment_module

    place = experiment_module.Place(
        device=device.value,
        out=out,
        runs=runs or out.absolute().parent / "runs",
        on_existing=on_existing.value,
        data_root=data_root(data_dir),
    )
    raise typer.Exit(experiment_module.run(name, experiment_module.load(name), place, console, dry_run))


@app.command()
def check(method: Annotated[str, typer.Argument(help="A method; see `list methods`.")]) -> None:
    """Try a contestant's whole life on tiny made-up data, in seconds."""
    from . import checker, selection

    for line in checker.check(selection.find_method(method)):
        console.print(f"ok  {line}", markup=False, soft_wrap=True)


@app.command()
def throughput(
    figures: Annotated[
        str, typer.Option(help="all, or names with commas: augment, end_to_end, knn, linear, kmeans, detection.")
    ] = "all",
    track: Annotated[str | None, typer.Option(help="Instead: input, model and both of a method on this track.")] = None,
    method: Annotated[str | None, typer.Option(help="The method for --track.")] = None,
    device: Annotated[Device, typer.Option(help="The device for --track; the other figures are the CPU's.")] = Device.auto,
    peers: Annotated[
        bool, typer.Option("--peers", help="Measure lightly's and scikit-learn's in the same run, in turn.")
    ] = False,
    against: Annotated[str | None, typer.Option(help="Compare with this git revision; exit 1 where this one is slower.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Small sizes, seconds in all.")] = False,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Measurements of each figure.")] = 5,
    json: Annotated[Path | None, typer.Option(help="Write the rows to this file.")] = None,
) -> None:
    """Measure speed, as ratios to peers or to another revision."""
    from .datasets.registry import find
    from .environment import choose_device
    from .selection import find_method
    from .throughput import command
    from .throughput.figures import baseline

    if against is not None:
        raise typer.Exit(command.check_against(console, against, command.QUICK if figures == "all" else figures))
    chosen = find_method(method) if method else baseline()
    where = choose_device(device.value)
    command.measure(console, figures, find(track) if track else None, chosen, where, small, peers, repeats, json)


def warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every error that the user can mend is one line, with exit code 2."""
    from .datasets.base import DataError

    arguments = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="python -m bench", standalone_mode=False)
    except (UserError, DataError) as error:
        _fail(str(error))
    except USAGE_ERROR as error:
        _fail(error.format_message())
    except OSError as error:  # a disk or a path that no command could foresee
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except Stopped as stopped:
        print(f"{stopped}; the same command goes on from the checkpoint", file=sys.stderr)
        raise SystemExit(128 + stopped.number) from None
    except (typer.Abort, KeyboardInterrupt):
        _interrupted()
    if code == 130:  # what some versions of Typer make of an interrupt
        _interrupted()
    raise SystemExit(code or 0)


def _interrupted() -> None:
    print("interrupted; the same command goes on where it stopped", file=sys.stderr)
    raise SystemExit(130) from None


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(2) from None
