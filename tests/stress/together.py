"""Several runs on one folder, of which some are killed."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

from common import Tally, command, essences, start


def runs(folder: Path, seeds: int, many: int, killed: int, rng: random.Random, budget: str = "40steps") -> Tally:
    """``many`` runs over 4 x ``seeds`` cells; ``killed`` of them die at random instants. Every cell ends once."""
    tally = Tally(f"{many} runs on one folder, {killed} killed")
    arguments = command(folder, "--methods", "simclr,moco,ifnd_elim,raw_pixels", "--seeds", str(seeds), budget=budget)
    logs = [folder.parent / f"{folder.name}-{i}.log" for i in range(many)]
    started = [start(arguments, log) for log in logs]
    for run, log in zip(started[:killed], logs, strict=False):
        while run.poll() is None and "\n[" not in log.read_text():
            time.sleep(0.1)
        time.sleep(rng.uniform(0, 3))
        os.killpg(run.pid, signal.SIGKILL)
    codes = [run.wait() for run in started]
    ended = Counter(name for log in logs for name in re.findall(r"^ok\s+(.*seed \d+):", log.read_text(), re.MULTILINE))
    found = essences(folder)
    tally.hold(all(code == 0 for code in codes[killed:]), f"exit codes {codes}")
    for i in range(4 * seeds):
        tally.hold(i < len(found) and list(found.values())[i]["status"] == "ok", f"cell {i} has no good record")
    for name, times in ended.items():
        tally.hold(times == 1, f"{name} was computed {times} times")
    left = [str(path) for path in folder.rglob("*") if ".claim-" in path.name or ".partial" in path.name]
    tally.hold(not left, f"left behind: {left}")
    tally.note = f"{4 * seeds} cells, each with one record; {sum(codes[i] == -9 for i in range(killed))} runs killed"
    return tally
