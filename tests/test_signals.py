"""What becomes of a run that is asked to stop, or killed."""

import os
import signal
import subprocess
import time

import pytest

from tests.small_cells import ROOT, command, environment, wait_for


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


@pytest.mark.parametrize("to_all", [False, True], ids=["to the run", "to all its processes"])
def test_sigterm_saves_and_says_how_to_go_on(endless, to_all, tmp_path):
    run, log = endless
    begun = time.monotonic()
    (os.killpg if to_all else os.kill)(run.pid, signal.SIGTERM)
    assert run.wait(20) == 143
    assert time.monotonic() - begun < 6
    assert "stopped by SIGTERM; the same command goes on" in log.read_text()
    assert not list(tmp_path.rglob("seed0.json")) and list(tmp_path.rglob("seed0.checkpoint"))
    assert not list(tmp_path.rglob(".seed0*"))


def test_sigint_saves_and_a_second_one_leaves_at_once(endless, tmp_path):
    run, log = endless
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(0.01)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(20) == 130
    assert "the same command goes on" in log.read_text() and "Traceback" not in log.read_text()


def test_children_do_not_outlive_a_killed_run(endless, tmp_path):
    run, _ = endless
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_for(lambda: group_ended(run.pid), 20)
    assert list(tmp_path.rglob(".seed0.json.claim-0")), "the dead run's claim is left for the next one to notice"
