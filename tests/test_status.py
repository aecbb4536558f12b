"""How a campaign stands, by its records and claims alone."""

import json
import os
import time

import pytest

from bench.errors import UserError
from bench.records import Record
from bench.running import campaign, claims, status
from tests import made_up

PLACE = "digits/b/1ep/simclr"


@pytest.fixture
def folder(tmp_path):
    """A good record, a failed one, a cell that runs here, one whose owner is dead, and one on another machine."""
    about = dict(track="digits", backbone="b", budget="1ep", method="simclr", contender="simclr")
    spent = dict(cost={"train_seconds": 7200.0}, environment={"device": "a GPU", "driver": "12"})
    good = Record(**about, seed=0, status="ok", metrics={"linear_top1": 0.5}, **spent)
    bad = Record(**about, seed=1, status="diverged", error={"exception": "Diverged: loss", "traceback": ""})
    made_up.write(tmp_path, [good, bad])
    place = tmp_path / PLACE
    cells = {f"{PLACE}/seed{seed}.json": "a recipe" for seed in range(6)}
    kept = claims.Claims(campaign.digest(cells)).take(place / "seed2.json")
    campaign.begin(tmp_path, cells)
    (place / ".seed3.json.claim-0").write_text(json.dumps({"place": claims.machine(), "pid": 2**22 + 1, "started": "1"}))
    (place / ".seed4.json.claim-0").write_text(json.dumps({"place": "node7 abc", "pid": 5, "since": time.time() - 600}))
    yield tmp_path
    kept.__exit__()


def test_what_is_done_what_runs_and_what_failed(folder):
    found = status.of_folder(folder)
    assert found.records == {"diverged": 1, "ok": 1} and found.code == 1
    assert [(one.cell, one.status, one.why) for one in found.failed] == [(f"{PLACE}/seed1", "diverged", "Diverged: loss")]
    running = {one.cell[-5:]: one for one in found.running}
    assert running["seed2"].alive and running["seed2"].process == os.getpid()
    assert not running["seed3"].alive
    assert running["seed4"].host == "node7" and running["seed4"].alive and running["seed4"].since == pytest.approx(600, abs=30)
    assert found.spent.gpu_hours == {"a GPU": 2.0}


def test_the_command_says_so_to_people_and_to_scripts(folder, bench_command):
    code, out, _ = bench_command("status", "--out", str(folder))
    assert (
        code == 1
        and "1 diverged, 1 ok; 2 running, 1 dead, 2 waiting" in out
        and "its owner is dead" in out
        and "since 10.0 min" in out
    )
    code, out, _ = bench_command("status", "--out", str(folder), "--json")
    assert code == 1 and json.loads(out)["records"] == {"diverged": 1, "ok": 1}


def test_a_silent_owner_elsewhere_counts_as_dead(folder):
    path = folder / PLACE / ".seed4.json.claim-0"
    os.utime(path, (time.time() - claims.SILENT - 5,) * 2)
    (one,) = [one for one in status.of_folder(folder).running if one.host == "node7"]
    assert not one.alive


def test_nothing_there_is_no_failure(tmp_path, bench_command):
    assert bench_command("status", "--out", str(tmp_path))[:2] == (0, "no records yet; 0 running, 0 waiting\n")
    code, _, error = bench_command("status", "--out", str(tmp_path / "gone"))
    assert code == 2 and "is not a folder" in error


def test_what_waits_and_how_long_it_takes(folder):
    found = status.of_folder(folder)
    assert found.waiting == 2  # seed 3, whose owner is dead, and seed 5
    assert found.left == status.Left(pytest.approx(4 * 7200 / 2), 2, 0)  # and two that have just begun, by two workers
    assert "time left: about 4.0 h for 2 workers" in status.lines(found)


def test_a_claim_says_how_far_its_cell_is(folder):
    claim = claims.Claims().take(folder / PLACE / "seed5.json")
    claim.beat(progress=0.5, images_per_second=1234.0)
    claim.beat(at_once=True, phase="train", progress=0.25)
    assert claim.held()
    (said,) = [line for line in status.lines(status.of_folder(folder)) if "seed5" in line]
    assert said.endswith("25%, 1,234 images/s")
    claim.path.unlink()
    claim.beat(at_once=True, progress=0.5)
    assert not claim.path.exists(), "a claim that was taken over must not come back"


def test_a_campaign_is_known_until_all_its_cells_have_records(folder):
    cells = {f"{PLACE}/seed{seed}.json": "a recipe" for seed in (0, 1)}
    more = cells | {f"{PLACE}/seed9.json": "a recipe"}
    for one in (cells, more):
        campaign.begin(folder, one)
    campaign.end(folder, more)
    assert len(campaign.of_folder(folder)) == 3
    campaign.end(folder, cells)
    assert sorted(len(one) for one in campaign.of_folder(folder).values()) == [3, 6], "one waits, and one runs"
    for path in folder.glob(".campaign-*"):
        os.utime(path, (0, 0))
    campaign.begin(folder, cells)
    campaign.end(folder, cells)
    assert [len(one) for one in campaign.of_folder(folder).values()] == [6], "the one that runs; the other was given up long ago"


def test_a_campaign_that_renews_records_is_known_while_it_lives(folder):
    cells = {f"{PLACE}/seed{seed}.json": "a recipe" for seed in (0, 1)}
    campaign.begin(folder, cells)
    with claims.Claims(campaign.digest(cells)).take(folder / PLACE / "seed0.json"):
        campaign.end(folder, cells)
        assert campaign.digest(cells) in campaign.of_folder(folder)
    campaign.end(folder, cells)
    assert campaign.digest(cells) not in campaign.of_folder(folder)


def test_another_recipe_of_a_cell_that_a_live_run_plans_is_refused(folder):
    cells = {f"{PLACE}/seed5.json": "another recipe"}
    with pytest.raises(UserError, match=f"computes {PLACE}/seed5 on .* by another recipe"):
        campaign.check(folder, cells, list(cells))
    campaign.check(folder, cells, ())  # what has its record is not computed again
