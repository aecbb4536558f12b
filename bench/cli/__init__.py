"""The command line: parsing and printing only. One file for each kind of command."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import typer

from ..datasets.errors import DataError
from ..errors import Stopped, UserError
from . import computing, data, evaluate, mistakes, results, status
from .app import app

__all__ = ["computing", "data", "evaluate", "main", "results", "status"]

USAGE_ERROR: Any = typer.BadParameter.__base__  # click's UsageError, whichever copy of click this Typer uses


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every error that the user can correct is one line, with exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # where the terminal's encoding lacks a letter, as stderr does
    arguments = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="python -m bench", standalone_mode=False)
    except (UserError, DataError) as error:
        _fail(str(error))
    except USAGE_ERROR as error:
        _fail(mistakes.hint(error.format_message(), arguments))
    except BrokenPipeError:
        _unread()
    except OSError as error:  # of a disk or a path, which no command checks
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except Stopped as stopped:
        print(f"{stopped}; the same command goes on from the checkpoint", file=sys.stderr)
        raise SystemExit(128 + stopped.number) from None
    except (typer.Abort, KeyboardInterrupt):
        _interrupted()
    if code == 130:  # some versions of Typer turn an interrupt into this
        _interrupted()
    raise SystemExit(code or 0)


def _interrupted() -> None:
    print("interrupted; the same command goes on where it stopped", file=sys.stderr)
    raise SystemExit(130) from None


def _unread() -> None:
    """The reader of the output, such as `head`, has ended."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
    print("stopped: nobody reads the output any more; what was computed is kept", file=sys.stderr)
    raise SystemExit(141) from None


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(2) from None
