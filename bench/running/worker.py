"""The process of one cell: its failure ends no other cell, and its parent is told how it ended."""

from __future__ import annotations

import os
import signal
import traceback
from multiprocessing.connection import Connection

import torch

from .. import environment, records, standstill
from ..datasets.workers import end_with_parent
from ..errors import Diverged, Stopped, StorageError
from ..events import Computed, Failed, Interrupted, StorageFailed
from . import reevaluate
from .cell import Job, run

TRACEBACK = 4000  # characters of its end that a record keeps


def main(job: Job, pipe: Connection) -> None:
    """Send events, the last of which is an `Ending`.

    SIGTERM asks for a checkpoint and an end. SIGINT is left to the parent, which decides what it means.
    """
    asked = [0]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: asked.__setitem__(0, number))
    end_with_parent()
    standstill.watch()
    try:
        environment.use(torch.device(job.device))
        record = reevaluate.run(job, pipe.send) if job.completes else run(job, pipe.send, lambda: asked[0])
        records.dumps(record)  # where it cannot be written, that is the cell's failure and not the run's
        pipe.send(Computed(record))
    except BrokenPipeError:  # the parent is gone
        os._exit(1)
    except Stopped as stopped:
        pipe.send(Interrupted(str(stopped)))
    except StorageError as error:
        pipe.send(StorageFailed(str(error)))
    except Exception as error:
        pipe.send(Failed(_status(error), _described(error)))


def _described(error: Exception) -> dict[str, str]:
    return {"exception": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()[-TRACEBACK:]}


def _status(error: Exception) -> records.Status:
    if isinstance(error, Diverged):
        return "diverged"
    return "out_of_memory" if environment.is_out_of_memory(error) else "failed"
