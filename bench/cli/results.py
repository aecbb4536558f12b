"""Commands that show: list, report, compare."""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

import typer

from ..datasets.spec import split_specs
from ..errors import UserError
from ..folders import expanded
from ..metrics import COMPARED
from .app import DataDir, Out, app, console, data_root, home, warn, width


class Listed(str, Enum):
    methods = "methods"
    datasets = "datasets"
    evaluators = "evaluators"
    results = "results"
    experiments = "experiments"


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(help="methods, datasets, evaluators, results or experiments.")],
    pattern: Annotated[
        str, typer.Argument(help="Only these names, with commas; * is a wildcard. Of results also: of a part.")
    ] = "*",
    out: Out = Path("results"),
    stale: Annotated[bool, typer.Option("--stale", help="Of results, those that are stale, and why.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List methods, datasets, evaluators, results or experiments."""
    from ..reporting import listing

    if stale and what is not Listed.results:
        raise UserError(f"--stale goes with `list results`, not with {what.value}")
    rows = {
        Listed.methods: listing.methods,
        Listed.evaluators: listing.evaluators,
        Listed.datasets: lambda: listing.datasets(data_root(data_dir)),
        Listed.experiments: lambda: listing.experiments(out),
        Listed.results: lambda: (listing.stale_results if stale else listing.results)(out, warn),
    }[what]()
    patterns = [part.strip() for part in split_specs(pattern)]
    names = [{row[0], *row[0].split("/")} for row in rows]  # of a result also track, backbone, budget, method and seed
    chosen = [
        row for row, own in zip(rows, names, strict=True) if any(fnmatchcase(one, part) for one in own for part in patterns)
    ]
    if not chosen and pattern != "*":
        raise UserError(f"no {what.value} match {pattern!r}")
    console.print(
        listing.columns(chosen, width()) if chosen else f"no {what.value} {'are stale' if stale else 'yet'}",
        markup=False,
        soft_wrap=True,
    )
    if what is Listed.methods and len(chosen) == 1 and chosen[0][1] != "broken":
        for line in listing.searched(chosen[0][0]):
            console.print(f"  tune searches {line}", markup=False, soft_wrap=True)


@app.command()
def report(
    out: Out = Path("results"),
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 where a file is out of date.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: renew the files whenever a record changes, until Ctrl-C.")
    ] = False,
    png: Annotated[bool, typer.Option("--png", help="The figures as PNG too.")] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Tables have these columns from now on, by title, metric or evaluator; * is a wildcard, and alone it means all."
        ),
    ] = None,
) -> None:
    """Rebuild tables, figures and the page (index.html) from the records alone."""
    from ..records import record_paths
    from ..reporting import report as report_module
    from ..reporting.columns import parse

    if not out.is_dir():
        raise UserError(f"--out {out} is not a folder; `python -m bench run` makes one")
    only = None if columns is None else parse(columns)
    if only and not any(record_paths(out)):
        raise UserError(f"no records in {out}: there are no columns to choose from yet")
    if not watch and not any(record_paths(out)):
        warn(f"no records in {out}: a run writes them to its --out")
    if watch and check:
        raise UserError("--watch writes and --check does not: give one of them")
    if watch:
        from ..reporting import watch as watching

        console.print(f"watching {out}; open {out / report_module.PAGE} in a browser, Ctrl-C ends", markup=False, soft_wrap=True)
        watching.watch(out, lambda on: _renew(out, png, only, on))
        return
    if not check:
        _renew(out, png, only)
        return
    files, problems = report_module.render(out, png=png, only=only)
    for problem in problems:
        warn(problem)
    old = report_module.outdated(files)
    for path in old:
        console.print(f"out of date: {path}", markup=False, soft_wrap=True)
    console.print("run `python -m bench report`" if old else "every file is up to date", markup=False)
    raise typer.Exit(1 if old else 0)


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of records.")],
    out: Annotated[Path, typer.Option(callback=home, help="Folder for the records of all of them.")],
) -> None:
    """Put the records of several folders together; refused where two records of one cell differ."""
    from ..merge import merge as merge_records

    records, again = merge_records([expanded(folder) for folder in folders], out)
    console.print(f"{out} has {records} records; {again} files were equal to one of them", markup=False, soft_wrap=True)
    console.print(
        f"`report --out {out}` makes its tables; checkpoints and encoders stay where they are", markup=False, soft_wrap=True
    )


def _renew(out: Path, png: bool, only: list[str] | None, live: bool = False) -> None:
    from ..reporting import report as report_module

    files, problems = report_module.render(out, live, png, only)
    for problem in problems:
        warn(problem)
    for path in report_module.write(files):
        console.print(f"{'wrote' if path.exists() else 'removed'} {path}", markup=False, soft_wrap=True)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A method, such as simclr:temperature=0.5, or a folder of records: before.")],
    b: Annotated[str, typer.Argument(help="Another one of the same kind: after.")],
    out: Out = Path("results"),
    track: Annotated[str, typer.Option(help="Only these tracks; * is a wildcard.")] = "*",
    backbone: Annotated[str, typer.Option(help="Only these backbones.")] = "*",
    budget: Annotated[str, typer.Option(help="Only these budgets.")] = "*",
    metric: Annotated[str, typer.Option(help="Keys of metrics, with commas, as in leaderboard.csv.")] = ",".join(COMPARED),
) -> None:
    """Compare two methods or two result folders, paired by seed.

    Exit code: 0 where B is nowhere significantly worse than A (5%, Holm over the table), 1 where it is or where
    all its cells failed, 2 where there is nothing to compare.
    """
    from ..reporting import compare as compare_module
    from ..reporting.terminal import show_comparisons

    chosen = [key.strip() for key in split_specs(metric)]
    found = compare_module.compare(a, b, out, (track, backbone, budget), chosen)
    console.print(f"A: {a}\nB: {b}\n", markup=False, soft_wrap=True)
    show_comparisons(console, found)
    for differ in dict.fromkeys(one.confounds for one in found if one.confounds):
        console.print(f"\nthey differ too in: {differ}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if compare_module.is_worse(found) else 0)
