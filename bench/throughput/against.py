"""This revision against another one: both measured in turn, in processes of their own, on one machine."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import FrameType
from typing import NamedTuple

from scipy.stats import mannwhitneyu

from ..errors import UserError

ROUNDS = 7  # of each revision
SLOWER, SIGNIFICANT = 0.20, 0.01


class Verdict(NamedTuple):
    """One figure of both revisions: medians, their ratio, the p-value that this one is slower, and whether it is worse."""

    figure: str
    here: float
    there: float
    ratio: float
    p: float
    worse: bool


def verdicts(here: dict[str, list[float]], there: dict[str, list[float]]) -> list[Verdict]:
    """A verdict on each figure that both have: worse is slower by more than 20%, Mann-Whitney p < 0.01, one-sided."""
    found = []
    for figure in here.keys() & there.keys():
        ours, theirs = median(here[figure]), median(there[figure])
        p = float(mannwhitneyu(here[figure], there[figure], alternative="less").pvalue)
        found.append(Verdict(figure, ours, theirs, ours / theirs, p, ours < (1 - SLOWER) * theirs and p < SIGNIFICANT))
    return sorted(found)


def measure(ref: str, figures: str, tell: Callable[[str], None]) -> list[Verdict] | None:
    """Measure this revision and ``ref`` in turn; None where ``ref`` has no throughput command. `UserError` if unknown."""
    here = Path(__file__).parents[2]
    try:
        commit = _git(here, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    except UserError as error:
        raise UserError(f"--against {ref}: {error}") from None
    with _unwinding(), tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        there = Path(scratch) / "there"
        _git(here, "worktree", "add", "--detach", str(there), commit)
        try:
            if not (there / "bench" / "throughput" / "against.py").exists():
                return None
            samples: dict[Path, dict[str, list[float]]] = {here: {}, there: {}}
            for number in range(ROUNDS):
                tell(f"round {number + 1} of {ROUNDS}")
                for folder in (here, there) if number % 2 else (there, here):
                    for figure, value in _measure(folder, figures, Path(scratch) / "rows.json").items():
                        samples[folder].setdefault(figure, []).append(value)
            for figure in sorted(samples[here].keys() ^ samples[there].keys()):
                tell(f"not compared, as one revision alone measures it: {figure}")
            return verdicts(samples[here], samples[there])
        finally:
            _git(here, "worktree", "remove", "--force", str(there))


@contextlib.contextmanager
def _unwinding() -> Iterator[None]:
    """SIGTERM ends the block as an exception does, so that no worktree is left."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measure(folder: Path, figures: str, target: Path) -> dict[str, float]:
    """Rates of the revision in ``folder`` by figure and unit; a figure with another unit counts other work, and is another key.

    A process with this working directory imports the code in it, also where another revision is installed.
    """
    command = [
        sys.executable,
        "-m",
        "bench",
        "throughput",
        "--small",
        "--repeats",
        "1",
        "--figures",
        figures,
        "--json",
        str(target),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"the throughput of {folder} could not be measured: {done.stderr.strip().splitlines()[-1:]}")
    rows = json.loads(target.read_text(encoding="utf-8"))["rows"]
    return {f"{row['figure']}, {row['unit']}": row["ours"] for row in rows}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip()
