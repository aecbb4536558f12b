"""`run --slurm`: the same run as a job array, submitted through submitit.

Each task runs the command on what is left. Two minutes before its time is over (SIGUSR2, submitit's signal) it is asked for a
checkpoint and requeued; at SIGTERM (preemption, `scontrol requeue`, `scancel`) it writes one too, and SLURM decides what follows.
"""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..budget import parse_budget
from ..errors import UserError, counted

AHEAD = 120  # seconds between the request for a checkpoint and the end of a task's time
SHORTEST = 300.0  # seconds of a task: SLURM may send a signal a minute early
REQUEUES = 1000  # times that a task may be requeued at its time limit
LOOK = 0.5  # seconds between two looks at the command
NAMES = ("partition", "account", "qos", "constraint", "mem")  # passed on as they are
COUNTS = {"gpus": "gpus-per-node", "cpus": "cpus-per-task"}
KEYS = (*NAMES, *COUNTS, "time", "array")


@dataclass(frozen=True)
class Array:
    """So many tasks of one command, each of so many minutes, and further options of sbatch; ``dry``: only to be shown."""

    tasks: int
    minutes: int
    options: dict[str, Any]
    command: Sequence[str]
    dry: bool = False

    def since(self, begun: float | None) -> Array:
        """This array with tasks that are shares of one run, which began at ``begun``, whenever they start or are requeued."""
        return replace(self, command=[*self.command, f"--begun={begun}"])


def parse(text: str, arguments: Sequence[str], dry: bool = False) -> Array:
    """``partition=gpu,time=8h,array=16,gpus=1`` and the arguments of `run`; `UserError` where it cannot be read."""
    given = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in KEYS or not equals or not value:
            raise UserError(
                f"--slurm {text}: {part.strip()!r} is not understood; there are {', '.join(f'{key}=' for key in KEYS)}"
            )
        if key in given:
            raise UserError(f"--slurm {text} gives {key} twice")
        given[key] = value
    numbers = {key: _count(key, given[key]) for key in ("array", *COUNTS) if key in given}
    options: dict[str, Any] = {key: given[key] for key in NAMES if key in given}
    options |= {COUNTS[key]: numbers[key] for key in COUNTS if numbers.get(key)}
    command = [sys.executable, "-m", "bench", "run", *arguments, *_on_gpus(numbers.get("gpus", 0), arguments)]
    return Array(numbers.get("array", 1), _minutes(given.get("time")), options, command, dry)


def _on_gpus(count: int, arguments: Sequence[str]) -> list[str]:
    """A task that was given GPUs fails where torch does not see them, rather than compute on the CPU."""
    device = next((text.removeprefix("--device=") for text in arguments if text.startswith("--device=")), "auto")
    if count > 1 and device not in ("auto", "cuda"):
        raise UserError(
            f"--slurm gpus={count} and --device {device}: a task with several GPUs uses all of them; leave --device out"
        )
    if count > 1:
        return ["--gpus", "all"]
    return ["--device=cuda"] if count and device == "auto" else []


def _count(key: str, value: str) -> int:
    least = 0 if key == "gpus" else 1
    if not value.isdecimal() or int(value) < least:
        raise UserError(f"--slurm {key}={value}: {key} must be a whole number, {least} at least")
    return int(value)


def _minutes(value: str | None) -> int:
    if value is None:
        raise UserError("--slurm needs the time of a task, such as time=8h; a task that needs more is requeued")
    seconds = parse_budget(value, "--slurm time").seconds
    if seconds is None or seconds < SHORTEST:
        raise UserError(f"--slurm time={value}: it must be a duration such as 30min or 8h, 5min at least")
    return math.ceil(seconds / 60)


def submit(array: Array, runs: Path, say: Callable[[str], None]) -> bool:
    """Submit ``array``, logs below ``runs``, or show its script; whether it was submitted. `UserError` in sbatch's words."""
    folder = (runs / "slurm" / time.strftime("%Y%m%d-%H%M%S")).absolute()
    executor = _executor(folder, array)
    if array.dry:
        if array.tasks > 1:
            executor.parameters["map_count"] = array.tasks
        say(executor._make_submission_file_text(executor._submitit_command_str, ""))
        return False
    job = _submitted(executor, array, folder)
    say(f"submitted job {job} of {counted(array.tasks, 'task')}, which `scancel {job}` ends; logs: {folder}")
    return True


def _executor(folder: Path, array: Array) -> Any:
    try:
        from submitit import SlurmExecutor
    except ImportError:
        raise UserError("--slurm needs submitit: pip install 'ssl-bench[slurm]'") from None
    if not shutil.which("sbatch") or not shutil.which("srun"):
        raise UserError("--slurm: there is no sbatch and srun here; submit from a machine of the cluster")
    executor = SlurmExecutor(folder, max_num_timeout=REQUEUES)
    cpus = array.options.get("cpus-per-task")
    executor.update_parameters(
        time=array.minutes,
        job_name="ssl-bench",
        signal_delay_s=AHEAD,
        stderr_to_stdout=True,
        srun_args=[f"--cpus-per-task={cpus}"] if cpus else None,  # which srun does not take over from sbatch since 22.05
        additional_parameters={"requeue": True} | array.options,
    )
    return executor


def _submitted(executor: Any, array: Array, folder: Path) -> str:
    """The number of the job; nothing is left in ``folder`` where there is none."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    before = next(place for place in folder.parents if place.exists())
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # where submitit prints what the error says too
            jobs = executor.submit_array([Share(array.command)] * array.tasks)
    except (FailedJobError, FailedSubmissionError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        for place in (place for place in folder.parents if place.is_relative_to(before) and place != before):
            with contextlib.suppress(OSError):  # it is not empty
                place.rmdir()
        raise UserError(str(error).strip() or "sbatch failed without a word") from None
    return str(jobs[0].job_id).partition("_")[0]


class Share:
    """A task of the array, as submitit calls it: a process of ``command``, asked for a checkpoint before its time is over."""

    def __init__(self, command: Sequence[str]):
        self.command = list(command)

    def __call__(self) -> int:
        """The exit code of the command. RuntimeError where it was killed, or could not run: SLURM shows the task as failed."""
        self.ended = False
        signal.signal(signal.SIGTERM, self._end)
        self.process = subprocess.Popen(self.command, preexec_fn=_ignore_usr2)
        while self.process.poll() is None:
            time.sleep(LOOK)
        while self.ended:  # a preempted task that ended by itself would count as completed, and not be requeued
            time.sleep(LOOK)
        if self.process.returncode not in (0, 1, 128 + signal.SIGTERM):
            raise RuntimeError(f"the run ended with {self.process.returncode}")
        return self.process.returncode

    def checkpoint(self) -> Any:
        """What submitit is to requeue on SIGUSR2: the same command, once it has written its checkpoint."""
        from submitit.helpers import DelayedSubmission

        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(AHEAD / 2)
        return DelayedSubmission(Share(self.command))

    def _end(self, number: int, frame: Any) -> None:
        self.ended = True
        self.process.send_signal(number)


def _ignore_usr2() -> None:
    """SIGUSR2 is for submitit, but may go to all processes of a task."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
