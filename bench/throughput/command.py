"""The `throughput` command: chooses, prints and writes figures."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from ..datasets.base import Track
from ..environment import device_name
from ..errors import UserError
from ..methods import Method
from ..settings import nearest
from ..storage import check_writable, write_atomically
from . import against, scene
from .figures import FIGURES, of_track
from .timing import Measured

AGAINST, TRACK, FIGURES_ALONE = "--against", "--track", ""
USES = {  # which further options each kind of measurement reads
    AGAINST: ("--figures",),
    TRACK: ("--method", "--device", "--repeats", "--json"),
    FIGURES_ALONE: ("--figures", "--peers", "--small", "--repeats", "--json"),
}
QUICK = "augment,end_to_end,knn,linear,kmeans"  # what two revisions are compared by


def check_options(given: Collection[str]) -> None:
    """`UserError` where an option among those ``given`` means nothing beside --against, --track or neither."""
    kind = next((name for name in (AGAINST, TRACK) if name in given), FIGURES_ALONE)
    for name in sorted(set(given) - {kind, *USES[kind]}):
        others = [other or "neither --against nor --track" for other, uses in USES.items() if name in uses]
        raise UserError(f"{name} goes with {' or with '.join(others)}")


def choose(text: str) -> list[str]:
    """Parse a comma-separated list of figures; `UserError` with the nearest names for an unknown one."""
    names = list(FIGURES) if text == "all" else list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FIGURES:
            raise UserError(f"unknown figure {name!r}: {nearest(name, FIGURES)}")
    return names


def rows(names: list[str], small: bool, peers: bool, repeats: int) -> Iterator[Measured]:
    """The rows of the named figures, one after the other."""
    for name in names:
        yield from FIGURES[name](scene.SMALL if small else scene.FULL, peers, repeats)


def measure(
    console: Console,
    figures: str,
    track: Track | None,
    method: type[Method],
    device: torch.device,
    small: bool,
    peers: bool,
    repeats: int,
    target: Path | None,
) -> None:
    """Print each row as it comes; write all of them to ``target``."""
    if target is not None:
        check_writable(target.parent)
    source = rows(choose(figures), small, peers, repeats) if track is None else of_track(track, method, device, repeats)
    machine = device_name(device)
    console.print(f"{machine}; medians of {repeats}, ratios with their quartiles", markup=False, soft_wrap=True)
    done = []
    for row in source:
        done.append(row)
        console.print(line(row), markup=False, soft_wrap=True)
    if target is not None:
        write_atomically(target, json.dumps({"machine": machine, "rows": [asdict(row) for row in done]}, indent=1) + "\n")


def line(row: Measured) -> str:
    """A row as text."""
    text = f"{row.figure:<28} {row.ours:>12,.4g}"
    if row.ratio is not None and row.peer is not None:
        text += f"  peer {row.peer:>12,.4g}  ratio {row.ratio:.2f}"
        text += f" ({row.low:.2f} to {row.high:.2f})" if row.low is not None else ""
    return f"{text}  {row.unit}"


def check_against(console: Console, ref: str, figures: str) -> int:
    """Compare this revision with ``ref``; 1 where it is significantly slower."""
    choose(figures)
    verdicts = against.measure(ref, figures, lambda text: console.print(text, markup=False))
    if verdicts is None:
        console.print(f"{ref} has no throughput command: nothing to compare with", markup=False)
        return 0
    for v in verdicts:
        said = "SLOWER" if v.worse else "ok"
        text = f"{said:<6} {v.figure:<40} here {v.here:>10,.4g}  {ref} {v.there:>10,.4g}  ratio {v.ratio:.2f}  p {v.p:.3f}"
        console.print(text, markup=False, soft_wrap=True)
    return 1 if any(v.worse for v in verdicts) else 0
