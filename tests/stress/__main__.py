"""Faults of every kind, and what became of them: `python tests/stress` (about ten minutes), `--short` (half a minute)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import ROOT, Tally

sys.path.insert(1, str(ROOT))


def trials(folder: Path, short: bool, rng: random.Random) -> list[Callable[[], Tally]]:
    import damage
    import disk
    import kills
    import together

    few = [
        lambda: damage.of_records(folder / "records", 60 if short else 120, rng),
        lambda: damage.of_checkpoints(folder / "checkpoints", 40 if short else 80, rng),
        lambda: kills.cells(folder / "cells", 3 if short else 60, rng, "12steps" if short else "60steps"),
    ]
    if short:
        return few
    return [
        *few,
        lambda: kills.groups(folder, 10, rng),
        lambda: together.runs(folder / "together", 6, 4, 2, rng),
        lambda: disk.limited(folder / "disk", [0, 100, 2_000, 20_000, 200_000, 1_000_000]),
        lambda: disk.full(folder / "disk", rng, 6),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of the random instants and corruptions")
    arguments = parser.parse_args()
    tallies = []
    with tempfile.TemporaryDirectory(prefix="bench-stress-") as folder:
        for trial in trials(Path(folder), arguments.short, random.Random(arguments.seed)):
            begun = time.monotonic()
            tallies.append(trial())
            print(f"{tallies[-1].fault}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            for what in tallies[-1].lost:
                print(f"  LOST {what[:500]}", file=sys.stderr, flush=True)
    print(f"{'fault':36} {'tried':>6} {'survived':>9} {'lost':>5}  note")
    for tally in tallies:
        print(f"{tally.fault:36} {tally.tried:6} {tally.tried - len(tally.lost):9} {len(tally.lost):5}  {tally.note}")
    return 1 if any(tally.lost for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())
