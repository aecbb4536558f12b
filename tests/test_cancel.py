"""`cancel`: all runs on a folder stop after a checkpoint; those that begin later do not."""

import threading
import time
from dataclasses import replace

import pytest
from rich.console import Console

from bench.errors import Stopped
from bench.events import Progress
from bench.running import campaign, cancel, claims, scheduler, session
from bench.running.cancel import Request
from bench.running.plan import plan
from bench.running.signals import Stop
from tests.small_cells import options


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cancel, "LOOK", 0.05)


def test_a_cell_that_trains_is_saved(tmp_path):
    (task,), _ = plan(options(tmp_path, "simclr", "10Msteps", checkpoint_every="1ep"))
    out = tmp_path / "results"

    def on_event(_, event):
        if isinstance(event, Progress):
            (out / cancel.FILE).write_text("now")

    with pytest.raises(Stopped, match="stopped by `cancel`") as stopped:
        scheduler.run_all([task], out, on_event, Stop(Request(out)))
    assert stopped.value.number == 15
    assert list(tmp_path.rglob("seed0.checkpoint")) and not list(tmp_path.rglob("*.claim-*"))


def work_until_asked(out, stop):
    with claims.Claims().take(out / "t/b/1ep/m/seed0.json"):
        while not stop.look():
            stop.begun.set()
            time.sleep(0.01)


def test_it_waits_for_what_runs_and_spares_what_begins_later(tmp_path, bench_command):
    stop = Stop(Request(tmp_path))
    stop.begun = threading.Event()
    worker = threading.Thread(target=work_until_asked, args=(tmp_path, stop), daemon=True)
    worker.start()
    assert stop.begun.wait(60)
    code, said, _ = bench_command("cancel", "--out", str(tmp_path))
    assert code == 0 and said.startswith("1 cell running") and "all have stopped" in said
    worker.join(60)
    assert not worker.is_alive() and not Stop(Request(tmp_path)).look()


def test_what_does_not_stop_is_named(tmp_path, bench_command, monkeypatch):
    monkeypatch.setattr(cancel, "PATIENCE", 0.1)
    with claims.Claims().take(tmp_path / "t/b/1ep/m/seed0.json"):
        code, said, _ = bench_command("cancel", "--out", str(tmp_path))
    assert code == 1 and "still running  t/b/1ep/m/seed0: " in said


def test_a_command_of_several_runs_stops_between_two_of_them(tmp_path, bench_command):
    out = tmp_path / "results"
    request, second = Request(out), options(tmp_path, "raw_pixels")
    session.run(replace(second, seeds=1), Console(quiet=True), False, request=request)
    assert bench_command("cancel", "--out", str(out))[0] == 0
    with pytest.raises(Stopped, match="`cancel`"):
        session.run(replace(second, seeds=2), Console(quiet=True), False, request=request)


def test_nothing_to_stop(tmp_path, bench_command):
    assert bench_command("cancel", "--out", str(tmp_path))[:2] == (0, f"nothing runs on {tmp_path}\n")
    assert [path.name for path in tmp_path.iterdir()] == [cancel.FILE]
    assert bench_command("cancel", "--out", str(tmp_path / "gone"))[0] == 2
    campaign.begin(tmp_path, {"t/b/1ep/m/seed0.json": "r"})  # a run that has just begun
    assert "0 cells running; every run" in bench_command("cancel", "--out", str(tmp_path))[1]
