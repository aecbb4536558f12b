"""A cell that was interrupted ends as if it had not been. The long form is `tox -e stress`."""

import signal
import subprocess
import sys

import pytest

from bench import records
from bench.errors import Stopped
from bench.events import Phase, Resumed
from bench.running import scheduler
from bench.running.plan import plan
from bench.running.signals import Stop
from tests.small_cells import ROOT, environment, options


@pytest.mark.timeout(900)  # on a busy machine; about a minute else
def test_the_short_stress_test_loses_nothing():
    arguments = [sys.executable, "tests/stress", "--short"]
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "survived" in done.stdout


def test_a_stopped_cell_ends_as_if_it_had_not_been(tmp_path):
    results = []
    for name in ("whole", "stopped"):
        task = plan(options(tmp_path / name, "ifnd_elim", "45steps"))[0][0]
        stop, resumed = Stop(), []

        def on_event(_, event, name=name, stop=stop, resumed=resumed):
            match event:
                case Resumed():
                    resumed.append(event)
                case Phase("train") if not resumed and name == "stopped":
                    stop.number = signal.SIGTERM

        if name == "stopped":
            with pytest.raises(Stopped):
                scheduler.run_all([task], tmp_path / name / "results", on_event, stop)
            assert not list((tmp_path / name).rglob("seed0.json"))
        scheduler.run_all([task], tmp_path / name / "results", on_event, Stop())
        assert bool(resumed) == (name == "stopped")
        record = records.read(tmp_path / name / "results" / task.cell.record_path)
        losses = [point["loss"] for point in record.curve]
        results.append((record.metrics, losses, (tmp_path / name / "runs" / task.cell.encoder_path).read_bytes()))
        assert not list(tmp_path.rglob("*.checkpoint*"))
    assert results[0] == results[1]
