"""The process of one cell: whatever happens to it happens to it alone, and its parent hears how it ended."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

import torch

from .. import records, standstill
from ..errors import Diverged, Stopped, StorageError
from . import reevaluate
from .cell import Job, run

TRACEBACK = 4000  # characters of its end that a record keeps


def main(job: Job, pipe: Connection) -> None:
    """Send events, then one with ``record``, ``failure``, ``storage`` or ``stopped``.

    SIGTERM asks for a checkpoint and an end. SIGINT is left to the parent, which decides what it means.
    """
    asked = [0]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: asked.__setitem__(0, number))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    standstill.watch()
    begun = standstill.now()
    try:
        record = reevaluate.run(job, pipe.send) if job.completes else run(job, pipe.send, lambda: asked[0])
        records.dumps(record)  # where it cannot be written, that is the cell's failure and not the run's
        pipe.send({"record": record, "seconds": standstill.now() - begun})
    except BrokenPipeError:  # the parent is gone
        os._exit(1)
    except Stopped as stopped:
        pipe.send({"stopped": str(stopped)})
    except StorageError as error:
        pipe.send({"storage": str(error)})
    except Exception as error:
        pipe.send({"failure": _described(error), "status": _status(error)})


def _end_with_parent() -> None:
    """A killed parent cannot end its children, so they watch it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _described(error: Exception) -> dict[str, Any]:
    return {"exception": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()[-TRACEBACK:]}


def _status(error: Exception) -> str:
    if isinstance(error, Diverged):
        return "diverged"
    no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    return "out_of_memory" if no_memory else "failed"
