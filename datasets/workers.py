"""The processes that decode images: they hold no state, ignore Ctrl-C, and end with the process that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker

import torch

from .base import Interrupted
from .decode import Decoded, decode_into


@contextlib.contextmanager
def decoded(jobs: Iterable[tuple], count: int) -> Iterator[Iterable[Decoded]]:
    """The results of `decode_into` for the ``jobs``, in their order, by ``count`` processes; with 1, by this process itself.

    Raises `Interrupted` where a process was killed.
    """
    if count <= 1:
        yield map(_decode, jobs)
        return
    context = multiprocessing.get_context("forkserver")  # torch is loaded once, and no process inherits threads or locks
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(count, context, _set_up)
    try:
        with starting():
            results = pool.map(_decode, jobs)
        yield results
    except BrokenProcessPool:
        why = "a process that decoded images was ended (out of memory?)"
        raise Interrupted(f"{why}; the same command, perhaps with fewer --workers, goes on where it stopped") from None
    finally:
        pool.shutdown(cancel_futures=True)


def available() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """Make this process exit when its parent ends, since a killed parent cannot end its children."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _decode(job: tuple) -> Decoded:
    return decode_into(*job)


def _set_up() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)  # each core has a process already
    end_with_parent()


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C, and do not import the script that runs, which may call this again."""
    resource_tracker.ensure_running()  # starting it inside the block would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")  # what multiprocessing imports
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
