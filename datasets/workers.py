"""The processes that decode images: they hold no state, ignore Ctrl-C, and end with the process that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker

import torch

from .base import Interrupted
from .decode import Decoded, decode_into


@contextlib.contextmanager
def decoded(jobs: Iterable[tuple], count: int) -> Iterator[Iterable[Decoded]]:
    """What `decode_into` makes of each of the ``jobs``, in their order, in ``count`` processes; one is this process itself.

    Raises `Interrupted` where a process was killed.
    """
    if count <= 1:
        yield map(_decode, jobs)
        return
    context = multiprocessing.get_context("forkserver")  # torch is loaded once, and no process inherits threads or locks
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(count, context, _set_up)
    try:
        with _deaf():
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
    """From now on this process ends when its parent does: a parent that is killed cannot end its children."""
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
    torch.set_num_threads(1)  # there are other processes
    end_with_parent()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; the processes started in it ignore it."""
    resource_tracker.ensure_running()  # or else it would let signals through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
