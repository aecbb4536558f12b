"""What the stress tests share: how they count, and what two computations of a cell must have in common."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.small_cells import ROOT, environment

TIMES = ("seconds", "images_per_second")  # how keys end whose values are the clock's
MARKS = (".claim-", ".campaign-", ".partial", ".checkpoint")


@dataclass
class Tally:
    """One kind of fault: how often it was tried and survived, and what was lost."""

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""

    def hold(self, survived: bool, what: str, times: int = 1) -> None:
        """Count faults that came to pass, so many ``times``, all of them survived or lost."""
        self.tried += times
        self.lost += [] if survived else [what] * times


def start(arguments: list[str], log: Path, **options: Any) -> subprocess.Popen:
    """Start a command in a process group of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        return subprocess.Popen(
            arguments, cwd=ROOT, env=environment(), stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **options
        )


def left_behind(folder: Path, marks: tuple[str, ...] = MARKS) -> list[str]:
    """Claims, half-written files and checkpoints below ``folder``: there are none when all cells have ended well."""
    return [str(path) for path in folder.rglob("*") if any(mark in path.name for mark in marks)]


def essences(folder: Path) -> dict[str, Any]:
    """Of every record below ``folder``, by contender and seed: all but times, machine and memory; the hash of its encoder."""
    found = {}
    for path in sorted((folder / "results").glob("*/*/*/*/seed*.json")):
        found[f"{unquote(path.parent.name)}/{path.stem}"] = essence(folder, path)
    return found


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """What differs between two results of `essences`, a field a line."""
    if found.keys() != expected.keys():
        return [f"records of {sorted(found)}, not of {sorted(expected)}"]
    fields = [(cell, key) for cell, whole in expected.items() for key in whole]
    return [
        f"{cell}, {key}: {found[cell].get(key)!r:.200}" for cell, key in fields if found[cell].get(key) != expected[cell][key]
    ]


def reference(folder: Path) -> dict[str, Any]:
    """The essences that others are compared with: all of them good, as equal failures would prove nothing."""
    found = essences(folder)
    if not found or any(record["status"] != "ok" for record in found.values()):
        raise RuntimeError(f"the cells in {folder} should have ended well: {found}")
    return found


def essence(folder: Path, path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text())
    record["cost"] = {key: record["cost"].get(key) for key in ("images", "steps")}
    record["curve"] = [{key: value for key, value in point.items() if not key.endswith(TIMES)} for point in record["curve"]]
    del record["environment"]
    encoder = folder / "runs" / path.relative_to(folder / "results").with_suffix(".safetensors")
    return record | {"encoder": hashlib.sha256(encoder.read_bytes()).hexdigest() if encoder.exists() else None}


def wait_for_checkpoint(runs: Path, run: subprocess.Popen, further: float) -> None:
    """Wait until this run has written one, and ``further`` seconds."""
    begun = time.time()
    while run.poll() is None and not any(changed_since(path, begun) for path in runs.rglob("*.checkpoint")):
        time.sleep(0.05)
    time.sleep(further)


def changed_since(path: Path, when: float) -> bool:
    try:
        return path.stat().st_mtime > when
    except OSError:  # it is not there yet, or was moved or removed between two looks
        return False
