"""Several workers on this machine: processes that share the cells of a run by their claims, each with its own cores or GPU."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ..datasets.base import DataError
from ..datasets.workers import available, end_with_parent, starting
from ..errors import Stopped, StorageError, UserError
from .signals import Stop, name_of

BAD = 2  # a worker's exit code where it cannot go on for want of space, or of what it needs
LOOK = 0.2  # seconds between two looks at the workers' logs
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
Worker = Mapping[str, str]  # what its environment says beyond this process's


def workers(cpus: int | None, gpus: str | None) -> Sequence[Worker]:
    """What ``--workers`` and ``--gpus`` ask for; none where this process does the work. `UserError` where both are given."""
    if cpus is not None and gpus is not None:
        raise UserError("--gpus starts one worker a GPU, --workers several on CPUs: give one of them")
    if gpus is not None:
        return on_gpus(gpus)
    return on_cores(cpus) if cpus is not None and cpus > 1 else ()


def on_cores(count: int) -> list[Worker]:
    """``count`` workers, among which the cores are divided; each has one at least."""
    share = str(max(1, available() // count))
    return [dict.fromkeys(THREADS, share) for _ in range(count)]


def on_gpus(text: str) -> list[Worker]:
    """A worker for each GPU that ``text`` lists with commas, or for ``all``; `UserError` where there is no such GPU."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not there:
        raise UserError(f"--gpus {text}: torch sees no CUDA device here; --workers N is for CPUs")
    given = [part.strip() for part in text.split(",")] if text.strip() != "all" else list(map(str, range(there)))
    for part in given:
        if not part.isdecimal() or int(part) >= there:
            raise UserError(f"--gpus {text}: there is no GPU {part!r}; this machine has {there}, counted from 0; or write all")
    if len(set(given)) < len(given):
        raise UserError(f"--gpus {text} gives a GPU twice")
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name] or list(map(str, range(there)))
    return [{"CUDA_VISIBLE_DEVICES": seen[int(part)]} for part in given]


def run(
    share: Callable[[Any, Console], None], options: Any, workers: Sequence[Worker], logs: Path, console: Console, stop: Stop
) -> None:
    """Have each of ``workers`` do ``share(options, its console)`` until all have ended; their lines are shown as they come.

    A signal, or what ``stop`` counts as one, is passed on once: each worker writes a checkpoint and ends. Raises `Stopped`
    then, and `StorageError` where one cannot write its files. What one of them leaves, when it is killed, the others take over.
    """
    logs.mkdir(parents=True, exist_ok=True)
    paths = [logs / f"worker{number}.log" for number in range(len(workers))]
    for path in paths:
        path.write_text("")
    processes = [_start(share, options, worker, path) for worker, path in zip(workers, paths, strict=True)]
    console.print(f"{len(workers)} workers; logs: {logs}", markup=False, soft_wrap=True)
    try:
        with stop:
            _follow(processes, paths, stop, console)
            stop.check()
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            process.join()
    for number, process in enumerate(processes):
        if process.exitcode:
            told = name_of(-process.exitcode) if process.exitcode < 0 else f"exit code {process.exitcode}"
            console.print(f"[{number}] ended by {told}; see {paths[number]}", markup=False, soft_wrap=True)
        if process.exitcode == BAD:
            raise StorageError(paths[number].read_text(errors="replace").rstrip().rpartition("\n")[2])


def _start(share: Callable[[Any, Console], None], options: Any, worker: Worker, log: Path) -> BaseProcess:
    """A fresh interpreter, which reads its environment before torch does."""
    before = {key: os.environ.get(key) for key in worker}
    os.environ.update(worker)
    try:
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(share, options, log))
        with starting():
            process.start()
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value
    return process


def _follow(processes: Sequence[BaseProcess], paths: Sequence[Path], stop: Stop, console: Console) -> None:
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(path.open(encoding="utf-8", errors="replace")) for path in paths]
        asked, alive = False, True
        while alive:
            alive = any(process.is_alive() for process in processes)
            for number, stream in enumerate(streams):
                for line in _lines(stream):
                    console.print(f"[{number}] {line}", markup=False, soft_wrap=True)
            if stop.look() and not asked:
                asked = True
                for process in processes:
                    with contextlib.suppress(OSError):
                        os.kill(process.pid or 0, stop.number) if process.is_alive() else None
            time.sleep(LOOK if alive else 0)


def _lines(stream: Any) -> Iterator[str]:
    """Whole lines that have come; one that is being written waits."""
    while True:
        place = stream.tell()
        line = stream.readline()
        if not line.endswith("\n"):
            stream.seek(place)
            return
        yield line.rstrip("\n")


def _work(share: Callable[[Any, Console], None], options: Any, log: Path) -> None:
    """A worker's process. The terminal's signals reach the parent alone, which passes them on."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_parent()
    stream = log.open("a", buffering=1, encoding="utf-8")
    for descriptor in (1, 2):
        os.dup2(stream.fileno(), descriptor)
    try:
        share(options, Console(file=stream, width=200, highlight=False, emoji=False))
    except Stopped as stopped:
        sys.exit(128 + stopped.number)
    except KeyboardInterrupt:  # before anything was begun
        sys.exit(128 + signal.SIGINT)
    except (UserError, DataError) as error:
        print(error, file=stream)
        sys.exit(BAD)
