"""What the stress tests share: small cells, and what two computations of a cell must have in common."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TIMES = {"seconds", "images_per_second"}


@dataclass
class Tally:
    """One kind of fault: how often it was tried and survived, and what was lost."""

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""

    def hold(self, survived: bool, what: str) -> None:
        self.tried += 1
        if not survived:
            self.lost.append(what)


def command(folder: Path, *flags: str, budget: str = "40steps") -> list[str]:
    """A `run` of small cells whose records and encoders go below ``folder``."""
    small = ["--datasets", "digits:fraction=0.2", "--batch-size", "16", "--device", "cpu", "--budget", budget]
    places = ["--out", str(folder / "results"), "--runs", str(folder / "runs")]
    return [sys.executable, "-m", "bench", "run", *small, *places, *flags]


def environment() -> dict[str, str]:
    """One thread, as bit-equality is promised for equal numbers of them."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def start(arguments: list[str], log: Path, **options: Any) -> subprocess.Popen:
    """Start a command in a process group of its own."""
    with log.open("a") as out:
        return subprocess.Popen(
            arguments, cwd=ROOT, env=environment(), stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **options
        )


def essences(folder: Path) -> dict[str, Any]:
    """Of every record below ``folder``: all but times, machine and memory, and the hash of its encoder."""
    found = {}
    for path in sorted((folder / "results").glob("*/*/*/*/seed*.json")):
        found[f"{path.parent.name}/{path.stem}"] = essence(folder, path)
    return found


def reference(folder: Path) -> dict[str, Any]:
    """The essences that others are compared with: all of them good, as equal failures would prove nothing."""
    found = essences(folder)
    if not found or any(record["status"] != "ok" for record in found.values()):
        raise RuntimeError(f"the cells in {folder} should have ended well: {found}")
    return found


def essence(folder: Path, path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text())
    record["cost"] = {key: record["cost"].get(key) for key in ("images", "steps")}
    record["curve"] = [{key: value for key, value in point.items() if key not in TIMES} for point in record["curve"]]
    del record["environment"]
    encoder = folder / "runs" / path.relative_to(folder / "results").with_suffix(".safetensors")
    return record | {"encoder": hashlib.sha256(encoder.read_bytes()).hexdigest() if encoder.exists() else None}
