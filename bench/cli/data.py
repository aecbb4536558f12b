"""Commands about datasets: data list, data get, data check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import DataDir, console, data_app, data_root


@data_app.command("list")
def data_list(data_dir: DataDir = None) -> None:
    """Which datasets are ready, how large they are, and where."""
    from .. import listing

    console.print(listing.columns(listing.datasets(data_root(data_dir))), markup=False, soft_wrap=True)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A dataset; see `data list`.")],
    source: Annotated[Path | None, typer.Option("--from", help="Folder with its files; else they are downloaded.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a dataset, or take it from a folder; verify and prepare it."""
    from ..datasets.prepare import get
    from ..datasets.registry import find

    folder = get(find(name), data_root(data_dir), source)
    console.print(f"{name} is ready in {folder}", markup=False, soft_wrap=True)


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
