"""Commands about datasets: data list, data get, data check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from .app import DataDir, console, data_app, data_root, home, width


@data_app.command("list")
def data_list(data_dir: DataDir = None) -> None:
    """Which datasets are ready, how large they are, and where."""
    from ..reporting import listing

    console.print(listing.columns(listing.datasets(data_root(data_dir)), width()), markup=False, soft_wrap=True)


@data_app.command("get")
def data_get(
    dataset: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A dataset, see `data list`; or `folder`: any images, one folder a class."),
    ],
    source: Annotated[
        Path | None, typer.Option("--from", callback=home, help="Folder with its files; else they are downloaded.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="With `folder`: what the dataset is to be called.")] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=8,
            max=4096,
            help="Image files are squashed to this many pixels square; else to 256, a `folder`'s to their median.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes that decode image files; one a core by default.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a dataset, or take it from a folder; verify and prepare it."""
    from ..datasets import account
    from ..datasets.prepare import from_folder, get
    from ..datasets.registry import find
    from ..running.display import Images

    root = data_root(data_dir)
    if dataset != "folder" and name is not None:
        raise UserError(f"--name is for `data get folder`; {dataset} has its name already")
    track = from_folder(name, source, side) if dataset == "folder" else find(dataset, root)
    with Images(console) as display:
        folder = get(track, root, source, side, workers, display.on_progress)
    for line in account.lines(find(track.name, root), folder):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{track.name} is ready in {folder}", markup=False, soft_wrap=True)


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="A dataset; else every one that is prepared.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Read prepared datasets in full and list everything that is wrong with them."""
    from ..datasets import verify

    problems = 0
    for checked, found in verify.check(name, data_root(data_dir)):
        problems += len(found)
        for line in found:
            console.print(f"bad  {checked}: {line}", markup=False, soft_wrap=True)
        if not found:
            console.print(f"ok   {checked}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if problems else 0)
