"""How a campaign stands, by its records and claims alone."""

import json
import os
import time

import pytest

from bench.records import Record
from bench.running import claims, status
from tests import made_up

PLACE = "digits/b/1ep/simclr"


@pytest.fixture
def campaign(tmp_path):
    """A good record, a failed one, a cell that runs here, one whose owner is dead, and one on another machine."""
    about = dict(track="digits", backbone="b", budget="1ep", method="simclr", contender="simclr")
    spent = dict(cost={"train_seconds": 7200.0}, environment={"device": "a GPU", "driver": "12"})
    good = Record(**about, seed=0, status="ok", metrics={"linear_top1": 0.5}, **spent)
    bad = Record(**about, seed=1, status="diverged", error={"exception": "Diverged: loss", "traceback": ""})
    made_up.write(tmp_path, [good, bad])
    folder = tmp_path / PLACE
    kept = claims.Claims().take(folder / "seed2.json")
    (folder / ".seed3.json.claim-0").write_text(json.dumps({"place": claims.machine(), "pid": 2**22 + 1, "started": "1"}))
    (folder / ".seed4.json.claim-0").write_text(json.dumps({"place": "node7 abc", "pid": 5, "since": time.time() - 600}))
    yield tmp_path
    kept.__exit__()


def test_what_is_done_what_runs_and_what_failed(campaign):
    found = status.of_folder(campaign)
    assert found.records == {"diverged": 1, "ok": 1} and found.code == 1
    assert [(one.cell, one.status, one.why) for one in found.failed] == [(f"{PLACE}/seed1", "diverged", "Diverged: loss")]
    running = {one.cell[-5:]: one for one in found.running}
    assert running["seed2"].alive and running["seed2"].process == os.getpid()
    assert not running["seed3"].alive
    assert running["seed4"].host == "node7" and running["seed4"].alive and running["seed4"].since == pytest.approx(600, abs=30)
    assert "2 GPU-hours" in found.spent


def test_the_command_says_so_to_people_and_to_scripts(campaign, bench_command):
    code, out, _ = bench_command("status", "--out", str(campaign))
    assert code == 1 and "1 diverged, 1 ok; 3 running" in out and "its owner is dead" in out and "since 10 min" in out
    code, out, _ = bench_command("status", "--out", str(campaign), "--json")
    assert code == 1 and json.loads(out)["records"] == {"diverged": 1, "ok": 1}


def test_a_silent_owner_elsewhere_counts_as_dead(campaign):
    path = campaign / PLACE / ".seed4.json.claim-0"
    os.utime(path, (time.time() - claims.SILENT - 5,) * 2)
    (one,) = [one for one in status.of_folder(campaign).running if one.host == "node7"]
    assert not one.alive


def test_nothing_there_is_no_failure(tmp_path, bench_command):
    assert bench_command("status", "--out", str(tmp_path))[:2] == (0, "no records yet; 0 running\n")
    code, _, error = bench_command("status", "--out", str(tmp_path / "gone"))
    assert code == 2 and "is not a folder" in error
