"""Faults of every kind, and what became of them: `python tests/stress` (half an hour), `--short` (half a minute)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parents[2]))
if TYPE_CHECKING:
    from common import Tally

FEW = ["simclr", "moco", "ifnd_elim", "glofnd"]  # a state of each kind: no more than weights, a queue, labels, thresholds


def trials(folder: Path, short: bool, seed: int) -> list[list[Callable[[], Tally]]]:
    """Two rows, each to be tried in order, side by side: one for each core."""
    import damage
    import disk
    import kills
    import outside
    import together

    from bench.methods import registry

    rng = [random.Random(f"{seed} {i}") for i in range(7)]
    methods, each, budget = (FEW, 1, "40steps") if short else (list(registry()), 4, "80steps")
    here = [
        lambda: damage.of_records(folder / "records", 60 if short else 120, rng[0]),
        lambda: damage.of_edits(folder / "edits", 0.05 if short else 1.0, rng[0]),
        lambda: damage.of_checkpoints(folder / "checkpoints", 40 if short else 80, rng[1]),
        lambda: kills.cells(folder / "cells", methods, each, rng[2], budget),
    ]
    if short:
        return [here]
    elsewhere = [
        lambda: kills.groups(folder / "groups", 10, rng[3]),
        lambda: together.runs(folder / "together", 6, 4, 2, rng[4]),
        lambda: outside.stopped(folder / "stopped", 12, rng[6]),
        lambda: outside.logs(folder / "logs"),
        lambda: disk.limited(folder / "disk", [0, 100, 2_000, 20_000, 200_000]),
        lambda: disk.full(folder / "disk", rng[5], 4),
    ]
    return [here, elsewhere]


def tried(row: list[Callable[[], Tally]]) -> list[Tally]:
    tallies = []
    for trial in row:
        begun = time.monotonic()
        tallies.append(trial())
        print(f"{tallies[-1].fault}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        for what in tallies[-1].lost:
            print(f"  LOST {what[:500]}", file=sys.stderr, flush=True)
    return tallies


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of the random instants and corruptions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-stress-") as folder, ThreadPoolExecutor() as pool:
        rows = list(pool.map(tried, trials(Path(folder), arguments.short, arguments.seed)))
    tallies = [tally for row in rows for tally in row]
    print(f"{'fault':36} {'tried':>6} {'survived':>9} {'lost':>5}  note")
    for tally in tallies:
        print(f"{tally.fault:36} {tally.tried:6} {tally.tried - len(tally.lost):9} {len(tally.lost):5}  {tally.note}")
    return 1 if any(tally.lost for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
