"""Claims at scale: many workers, many made cells of milliseconds, one folder; run as a program, it prints a table in Markdown.

Everything is the scheduler's own (claims, records, the wait for others) but the computation of a cell, which sleeps and
writes a record. Workers are processes; each says in a file of its own which cells it has computed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[2]))

from bench import records
from bench.budget import parse_budget
from bench.cells import order
from bench.datasets.registry import track_of
from bench.datasets.spec import parse_spec
from bench.methods import registry
from bench.recipe import resolve
from bench.running import scheduler
from bench.running.cell import Job, blank
from bench.running.scheduler import Task
from bench.running.signals import Stop

SEEDS = 5
CELL = 0.002  # seconds
CELLS, WORKERS = (1000, 5000), (1, 4, 16, 64)


@dataclass(frozen=True)
class Outcome:
    """Of ``cells`` by ``workers``: seconds until the last has ended and of processors, cells lost and doubled, files left."""

    cells: int
    workers: int
    seconds: float
    processor: float
    lost: int
    doubled: int
    left: int


def tasks(cells: int) -> list[Task]:
    """Made cells, five seeds of each contender, as in a real campaign."""
    spec, budget, method = parse_spec("digits"), parse_budget("1ep"), registry()["simclr"]
    given = [{"temperature": f"{0.1 + i / 10_000:.4f}"} for i in range(cells // SEEDS)]
    recipes = [resolve(spec, track_of(spec), 1000, method, budget, None, settings) for settings in given]
    return [Task(Job(cell=cell), None) for cell in order(recipes, range(SEEDS))]


def measure(folder: Path, todo: Sequence[Task], workers: int) -> Outcome:
    """Have so many processes compute ``todo`` below ``folder``, and count."""
    context = multiprocessing.get_context("fork")  # which shares what is imported
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ready = context.Barrier(workers + 1)
    processes = [context.Process(target=work, args=(folder, todo, i, ready), daemon=True) for i in range(workers)]
    for process in processes:
        process.start()
    ready.wait()
    begun = time.perf_counter()
    for process in processes:
        process.join()
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    computed = Counter(line for path in folder.glob("worker*") for line in path.read_text().splitlines())
    names = [str(task.cell.record_path) for task in todo]
    doubled = sum(computed[name] > 1 for name in names)
    lost = sum(computed[name] == 0 or not (folder / "out" / name).exists() for name in names)
    return Outcome(len(todo), workers, seconds, processor, lost, doubled, len(list((folder / "out").rglob(".*"))))


def work(folder: Path, todo: Sequence[Task], number: int, ready: Any) -> None:
    with (folder / f"worker{number}").open("w") as log:

        def compute(task: Task, out: Path, *_: object) -> None:
            print(task.cell.record_path, file=log)
            time.sleep(CELL)
            records.write(replace(blank(task.cell), status="ok"), out / task.cell.record_path)

        scheduler._compute = compute
        ready.wait()
        scheduler.run_all(todo, folder / "out", lambda task, event: None, Stop())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=CELLS)
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS)
    parser.add_argument("--on", type=Path, help="a folder of the file system to try; else the one for temporary files")
    given = parser.parse_args()
    print("| cells | workers | s | cells/s | processor, ms a cell | lost | doubled | files left |\n|" + " --- |" * 8)
    for cells in given.cells:
        todo = tasks(cells)
        for workers in given.workers:
            with tempfile.TemporaryDirectory(dir=given.on) as folder:
                one = measure(Path(folder), todo, workers)
            speed = f"{one.seconds:.1f} | {one.cells / one.seconds:,.0f} | {1000 * one.processor / one.cells:.1f}"
            print(f"| {cells:,} | {workers} | {speed} | {one.lost} | {one.doubled} | {one.left} |", flush=True)


if __name__ == "__main__":
    main()
