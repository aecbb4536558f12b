"""A disk that is full: one clear line, nothing earlier harmed, and the same command goes on once there is space."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from common import Tally, essences, left_behind, reference

from tests.small_cells import ROOT, command, environment

FLAGS = ("raw_pixels,simclr,moco", "--checkpoint-every", "1steps")
LIMITED = (
    "import os, resource, sys; limit = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def limited(folder: Path, limits: list[int]) -> Tally:
    """No file may grow beyond so many bytes: claims, checkpoints, encoders and records fail in turn."""
    tally = Tally("file-size limit")
    whole = folder / "whole"
    _run(whole)
    for limit in limits:
        place = folder / f"limit{limit}"
        broken = _run(place, [sys.executable, "-c", LIMITED, str(limit)])
        _judge(tally, f"limit {limit}", place, broken, whole)
    tally.note = f"of {len(limits)} limits; then the same command without one"
    return tally


def full(folder: Path, rng: random.Random, tries: int) -> Tally:
    """A small file system that fills up; where mounting is not allowed, nothing is tried."""
    tally = Tally("full disk (tmpfs)")
    whole = folder / "whole"
    if not (whole / "results").exists():
        _run(whole)
    for i in range(tries):
        kib = rng.choice([8, 64, 256, 512, 1024])
        with mounted(folder / f"disk{i}", kib) as place:
            if place is None:
                tally.note = "mounting is not allowed here"
                return tally
            broken = _run(place)
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            _judge(tally, f"{kib} KiB", place, broken, whole)
    tally.note = f"of {tries} disks; then the same command with more space"
    return tally


def _run(folder: Path, before: Sequence[str] = ()) -> subprocess.CompletedProcess:
    arguments = [*before, *command(folder, *FLAGS)]
    return subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True)


def _judge(tally: Tally, name: str, place: Path, broken: subprocess.CompletedProcess, whole: Path) -> None:
    """Count this fault, unless the space sufficed after all."""
    expected, earlier = reference(whole), essences(place)
    if broken.returncode == 0 and earlier == expected:
        return
    said = [line for line in broken.stderr.splitlines() if line.startswith(("error: ", "Traceback"))]  # libraries warn too
    one_line = broken.returncode == 2 and len(said) == 1 and said[0].startswith("error: ")
    kept = all(earlier[key] == expected[key] for key in earlier)
    clean = not left_behind(place, (".claim-", ".partial"))
    again = _run(place)
    same = again.returncode == 0 and essences(place) == expected and not left_behind(place)
    what = f"{name}: one line {one_line}, earlier records whole {kept}, nothing half-written {clean}, the same afterwards {same}"
    tally.hold(one_line and kept and clean and same, f"{what}: {broken.stderr}{again.stderr}")


@contextmanager
def mounted(folder: Path, kib: int) -> Iterator[Path | None]:
    """A file system of so many KiB at ``folder``, or None."""
    folder.mkdir(parents=True)
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)], capture_output=True).returncode
    ):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
