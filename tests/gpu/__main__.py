"""What a GPU is needed for, in one command of ten minutes at most: `tox -e gpu`.

The tests marked `gpu`; ResNet-18 at 32 and 224 pixels, whole and in parts, against lightly's loop in the same run; every method
compiled and plain, with its peak memory; feeding from host memory through pinned buffers. Images are made up: no download.
What does not fit into the time is said to be not measured. `--device cpu --small` goes the same way on a CPU in two minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(1, str(ROOT))


@dataclass(frozen=True)
class Sizes:
    """How much is measured: batch sizes by pixels a side, images of a store, steps of a measurement, repeats."""

    batches: dict[int, int]
    images: int
    steps: int
    repeats: int
    backbone: str
    methods: tuple[str, ...] = ()  # none: all


FULL = Sizes({32: 512, 224: 128}, 4096, 20, 3, "resnet18")
SMALL = Sizes({32: 16, 64: 8}, 64, 2, 1, "test_resnet", ("simclr", "ifnd_elim", "mae"))


def speed(device, sizes: Sizes) -> Iterator:
    """Input only, end to end over the model alone, and end to end over lightly's loop."""
    from parts import lightly_loop, parts_of

    from bench.throughput.figures import baseline
    from bench.throughput.timing import in_turn

    for side, batch in sizes.batches.items():
        parts = parts_of(baseline(), device, sizes, side, batch)
        name = f"{sizes.backbone}_{side}px"
        yield in_turn(f"input_only_{name}", "images/s", parts.input_only, None, sizes.repeats)
        ready = "images/s; peer: the same steps on ready-made views"
        yield in_turn(f"end_to_end_{name}", ready, parts.end_to_end, parts.model_only, sizes.repeats)
        with lightly_loop(device, sizes, side, batch) as theirs:
            yield in_turn(f"over_lightly_{name}", "images/s; peer: lightly", parts.end_to_end, theirs, sizes.repeats)


def feeding(device, sizes: Sizes) -> Iterator:
    """Batches from host memory through pinned buffers, against a store in the device's memory."""
    from parts import feeds_of

    from bench.throughput.timing import in_turn

    for side, batch in sizes.batches.items():
        mapped, resident = feeds_of(device, sizes, side, batch)
        unit = "images/s; peer: the store on the device"
        yield in_turn(f"fed_{side}px", unit, mapped, resident, sizes.repeats)


def methods(device, sizes: Sizes) -> Iterator:
    """Every method on 32 pixels, with a backbone that it can train: compiled against plain where it compiles, and its memory."""
    from parts import compiled_and_plain

    from bench.methods import registry

    for name, kind in registry().items():
        if kind.trains and (not sizes.methods or name in sizes.methods):
            yield from compiled_and_plain(kind, device, sizes)


PARTS: dict[str, Callable] = {"speed": speed, "feeding": feeding, "methods": methods}


def tests(device: str) -> str:
    """What the tests marked gpu say, in a line."""
    if device != "cuda":
        return "tests marked gpu: not run, there is no CUDA device"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])
    return f"tests marked gpu: {done.stdout.strip().splitlines()[-1]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="three methods, small sizes: to try the command")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which nothing more is begun")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    asked = parser.parse_args()

    import torch

    from bench.environment import device_name
    from bench.throughput.command import line

    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here: nothing is measured (--device cpu --small tries the command)", file=sys.stderr)
        return 1
    end = time.monotonic() + 60 * asked.minutes
    device, sizes = torch.device(asked.device), SMALL if asked.small else FULL
    machine = device_name(device)
    print(f"{machine}; medians of {sizes.repeats}\n{tests(asked.device)}", flush=True)
    done, late = [], []
    for name, part in PARTS.items():
        rows = iter(part(device, sizes))  # each is measured when it is asked for
        while time.monotonic() < end and (row := next(rows, None)):
            done.append(row)
            print(line(row), flush=True)
        late += [name] if time.monotonic() >= end else []
    if late:
        print(f"{asked.minutes:g} minutes are over; what is not listed above of these is not measured: {', '.join(late)}")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in done]}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
