"""The options of `run` that submit it to a cluster."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UserError
from .app import on_command_line

if TYPE_CHECKING:  # the command line is parsed without torch
    from ..running.slurm import Array

Slurm = Annotated[str | None, typer.Option(help="Submit it as a job array: partition=gpu,time=8h,array=16,gpus=1.")]
SlurmDryRun = Annotated[bool, typer.Option("--slurm-dry-run", help="Show the script of --slurm, and submit nothing.")]
Begun = Annotated[float | None, typer.Option(hidden=True, help="When the run began of which a task of --slurm is a share.")]


def array(context: typer.Context, slurm: str | None, dry: bool) -> Array | None:
    """What is to be submitted: the options that were given, less those of --slurm."""
    from ..running import slurm as module

    if slurm is None:
        if dry:
            raise UserError("--slurm-dry-run goes with --slurm")
        return None
    given = []
    for option in on_command_line(context):
        if option.name in ("slurm", "slurm_dry_run"):
            continue
        value, flag = context.params[option.name], option.opts[0]
        values = value if isinstance(value, list | tuple) else [value]
        given += [flag] if value is True else [f"{flag}={one.value if isinstance(one, Enum) else one}" for one in values]
    return module.parse(slurm, given, dry)
