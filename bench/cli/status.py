"""Commands that show and stop runs: status, cancel."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UserError
from .app import Out, app, console

EVERY = 5.0  # seconds between two looks


@app.command()
def status(
    out: Out = Path("results"),
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 5 seconds, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """The state of the runs on --out: cells done, running, waiting, failed. Exit code 1: a cell failed, or an owner is dead."""
    from ..running import status as module

    _check(out)
    while True:
        found = module.of_folder(out)
        text = json.dumps(found.as_dict(), indent=1) if as_json else "\n".join(module.lines(found))
        console.print(text, markup=False, soft_wrap=True)
        if not watch:
            raise typer.Exit(found.code)
        time.sleep(EVERY)


@app.command()
def cancel(out: Out = Path("results")) -> None:
    """Ask all runs on --out, on whatever machine, to stop after a checkpoint. Exit code 1 where some have not stopped in time."""
    from ..running import cancel as module

    _check(out)
    raise typer.Exit(module.ask(out, lambda line: console.print(line, markup=False, soft_wrap=True)))


def _check(out: Path) -> None:
    if not out.is_dir():
        raise UserError(f"--out {out} is not a folder; `python -m bench run` makes one")
