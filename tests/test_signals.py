"""What becomes of a run that is asked to stop, or killed."""

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bench import records
from bench.errors import Stopped
from bench.events import Progress, Warned
from bench.running import scheduler
from bench.running.plan import plan
from bench.running.signals import Stop, name_of
from tests.small_cells import ROOT, command, environment, options, wait_for


@pytest.fixture
def endless(tmp_path):
    """A run of a cell that is training and would train for hours, in a process group of its own."""
    log = tmp_path / "log"
    with log.open("w") as out:
        arguments = command(tmp_path, "simclr", "--checkpoint-every", "1steps", budget="10Msteps")
        run = subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=out, stderr=out, start_new_session=True)
    wait_for(lambda: list(tmp_path.rglob("seed0.checkpoint")) or run.poll() is not None)
    yield run, log
    if not group_ended(run.pid):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def group_ended(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_sigterm_to_all_processes_saves_and_says_how_to_go_on(endless, tmp_path):
    run, log = endless
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait(120) == 143
    assert "stopped by SIGTERM; the same command goes on" in log.read_text() and "no end of the step" not in log.read_text()
    saved_alone(tmp_path)


def saved_alone(folder: Path) -> None:
    """A checkpoint, and no record or anything half-written."""
    assert list(folder.rglob("seed0.checkpoint")) and not list(folder.rglob("seed0.json")) and not list(folder.rglob(".seed0*"))


def test_sigterm_to_the_run_alone_reaches_its_cell(tmp_path):
    (task,), _ = plan(options(tmp_path, "simclr", "10Msteps", checkpoint_every="1steps"))

    def on_event(_, event):
        if isinstance(event, Progress):
            os.kill(os.getpid(), signal.SIGTERM)

    with Stop() as stop, pytest.raises(Stopped) as ended:
        scheduler.run_all([task], tmp_path / "results", on_event, stop)
    assert ended.value.number == signal.SIGTERM and not multiprocessing.active_children()
    saved_alone(tmp_path)


def test_sigint_saves_and_says_how_to_go_on(endless, tmp_path):
    run, log = endless
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(120) == 130
    assert "stopped by SIGINT; the same command goes on" in log.read_text() and "Traceback" not in log.read_text()
    saved_alone(tmp_path)


def test_ctrl_c_waits_for_the_step_and_a_second_one_leaves_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "PATIENCE", 0.1)
    (task,), _ = plan(options(tmp_path, "simclr", "10Msteps", checkpoint_every="1steps"))
    sent: list[float] = []

    def interrupt():
        for _ in range(2):
            time.sleep(1)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    def on_event(_, event):
        if isinstance(event, Progress) and not sent:
            sent.append(time.monotonic())
            (child,) = multiprocessing.active_children()
            os.kill(child.pid, signal.SIGSTOP)  # as a step that takes for ever
            threading.Thread(target=interrupt, daemon=True).start()

    with Stop() as stop, pytest.raises(KeyboardInterrupt):
        scheduler.run_all([task], tmp_path / "results", on_event, stop)
    assert len(sent) == 3 and not multiprocessing.active_children()


def test_children_do_not_outlive_a_killed_run(endless, tmp_path):
    run, _ = endless
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_for(lambda: group_ended(run.pid), 20)
    assert list(tmp_path.rglob(".seed0.json.claim-0")), "the dead run's claim is left for the next one to notice"


def test_time_while_stopped_is_neither_training_nor_against_the_time_limit(tmp_path):
    flags = ("--checkpoint-every", "1steps", "--cell-timeout", "60s")
    log = tmp_path / "log"
    with log.open("w") as out:
        arguments = command(tmp_path, "simclr", *flags, budget="1.5s")
        run = subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=out, stderr=out, start_new_session=True)
    wait_for(lambda: list(tmp_path.rglob("seed0.checkpoint")) or run.poll() is not None)
    os.killpg(run.pid, signal.SIGSTOP)
    time.sleep(4)
    os.killpg(run.pid, signal.SIGCONT)
    assert run.wait(120) == 0, log.read_text()
    (path,) = tmp_path.rglob("seed0.json")
    cost = records.read(path).cost
    assert cost["stopped_seconds"] == pytest.approx(4, abs=1)
    assert cost["train_seconds"] < 3.5 and cost["images_per_second"] == pytest.approx(cost["images"] / cost["train_seconds"])


def test_a_step_that_does_not_end_after_sigterm_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "PATIENCE", 0.3)
    monkeypatch.setattr(scheduler, "GRACE", 60.0)
    (task,), _ = plan(options(tmp_path, "simclr", "10Msteps", checkpoint_every="1steps"))
    stop, said = Stop(), []

    def on_event(_, event):
        said.extend([event.line] if isinstance(event, Warned) else [])
        if isinstance(event, Progress) and not stop.number:
            (child,) = multiprocessing.active_children()
            os.kill(child.pid, signal.SIGSTOP)  # as a step that takes for ever
            stop.number = signal.SIGTERM

    begun = time.monotonic()
    with pytest.raises(Stopped):
        scheduler.run_all([task], tmp_path / "results", on_event, stop)
    assert said == ["no end of the step after 0 s: the last checkpoint is relied on"]
    assert time.monotonic() - begun < 60 and list(tmp_path.rglob("seed0.checkpoint*"))


def test_a_signal_without_a_name_is_its_number():
    assert (name_of(15), name_of(35)) == ("SIGTERM", "signal 35")
