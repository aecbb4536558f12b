"""Several runs on one folder, of which some are killed."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

from common import Tally, essences, left_behind, reference, start

from tests.small_cells import command

METHODS = ("simclr", "moco", "ifnd_elim", "raw_pixels")


def runs(folder: Path, seeds: int, many: int, killed: int, rng: random.Random, compared: int = 2) -> Tally:
    """``many`` runs over 4 x ``seeds`` cells; ``killed`` of them die at random instants. Every cell is computed once.

    The cells of the first ``compared`` seeds must be those of a run that had the folder for itself.
    """
    tally = Tally(f"{many} runs on one folder, {killed} killed")
    shared, whole, names = folder / "shared", folder / "whole", ",".join(METHODS)
    start(command(whole, names, seeds=compared), folder / "whole.log").wait()
    arguments = command(shared, names, seeds=seeds)
    logs = [folder / f"{i}.log" for i in range(many)]
    started = [start(arguments, log) for log in logs]
    for run, log in zip(started[:killed], logs, strict=False):
        while run.poll() is None and "\n[" not in log.read_text():
            time.sleep(0.1)
        time.sleep(rng.uniform(0, 3))
        if run.poll() is None:  # else the exit codes will tell
            os.killpg(run.pid, signal.SIGKILL)
    codes = [run.wait() for run in started]
    codes.append(start(arguments, folder / "again.log").wait())  # what a kill right after a record leaves, the next run removes
    ended = Counter(f"{method}/seed{seed}" for log in logs for method, seed in ENDED.findall(log.read_text()))
    found, expected = essences(shared), reference(whole)
    contenders = sorted({name.rpartition("/")[0] for name in expected})
    for name in [f"{contender}/seed{seed}" for contender in contenders for seed in range(seeds)]:
        good = name in found and found[name]["status"] == "ok" and found[name] == expected.get(name, found[name])
        tally.hold(good and ended[name] <= 1, f"{name} has no good record, another one, or was computed {ended[name]} times")
    tally.hold(codes == [-signal.SIGKILL] * killed + [0] * (many - killed + 1), f"exit codes {codes}", 1)
    tally.hold(not (left := left_behind(shared)), f"left behind: {left}", 1)
    tally.note = f"{4 * seeds} cells, exit codes, leftovers; {codes.count(-signal.SIGKILL)} runs killed"
    return tally


ENDED = re.compile(r"^ok\s+.* / (\S+) / seed (\d+):", re.MULTILINE)
