"""What a run will take, before it is run: from records of the same kind, or from a few timed steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from bench import environment
from bench.methods import registry
from bench.running import estimate
from bench.running.cell import blank
from bench.running.plan import plan
from tests import small_cells

HERE = environment.device_name(torch.device("cpu"))


def records(budget="40steps", **cost):
    """What two seeds of simclr have taken on this machine."""
    made_of = plan(small_cells.options(Path("unused"), "simclr", budget))[0][0].cell
    found = []
    for seed in range(2):
        record = blank(made_of)
        record.seed, record.status, record.environment = seed, "ok", {"device": HERE}
        record.cost = {"train_seconds": 10.0 + 2 * seed, "eval_seconds": 3.0, "energy_joules": 500.0} | cost
        found.append(record)
    return found


def due(folder, methods="simclr", budget="40steps", seeds=1):
    return plan(small_cells.options(folder, methods, budget, seeds=seeds))[0]


def test_training_is_scaled_by_the_budget_and_evaluation_is_not(tmp_path):
    found = estimate.estimate(due(tmp_path, budget="80steps", seeds=3), records(), timed=False)
    assert found.seconds == 3 * (2 * 11 + 3) and found.joules == 3 * 2 * 500 and not found.unknown


def test_records_of_the_contender_go_before_those_of_other_settings(tmp_path):
    other = records(train_seconds=1000.0)
    for record in other:
        record.contender += ",temperature=0.5"
    assert estimate.estimate(due(tmp_path), other + records(), timed=False).seconds == 11 + 3
    assert estimate.estimate(due(tmp_path), other, timed=False).seconds == 1000 + 3


def test_units_of_time_are_one_unit(tmp_path):
    assert estimate.estimate(due(tmp_path, budget="2min"), records("60s"), timed=False).seconds == 2 * 11 + 3


def test_what_no_record_tells_is_not_known(tmp_path):
    elsewhere = [replace(r, environment={"device": "another machine"}) for r in records()]
    for found in (elsewhere, records("1ep"), []):
        told = estimate.estimate(due(tmp_path), found, timed=False)
        assert not told.costs and told.unknown == ["simclr"] and told.joules is None
    assert "--estimate" in "".join(estimate.lines(told, HERE, timed=False))


def test_steps_are_timed_and_leave_no_trace(tmp_path):
    few, many = (estimate.estimate(due(tmp_path, budget=b), [], timed=True).seconds for b in ("20steps", "2000steps"))
    assert 0 < few < many / 10 and not list(tmp_path.iterdir())
    assert estimate.estimate(due(tmp_path, budget="1.5h"), [], timed=True).seconds == 5400  # a budget of time says it itself


def test_a_loss_that_fails_is_named_before_any_cell_is_run(tmp_path, monkeypatch, bench_command):
    def loss(*_):
        raise ValueError("from the loss")

    monkeypatch.setattr(registry()["simclr"], "loss", loss)
    arguments = small_cells.command(tmp_path, "simclr,moco", budget="1.5h")[3:]
    code, said, _ = bench_command(*arguments, "--estimate")
    assert code == 1 and "simclr:batch_size=16 fails in its first steps: ValueError: from the loss" in said
    assert said.count("fails") == 1
    assert not list(tmp_path.iterdir())


def test_disk_is_that_of_the_encoders_and_records(tmp_path, bench_command):
    arguments = small_cells.command(tmp_path, "simclr", budget="2steps")[3:]
    code, said, _ = bench_command(*arguments, "--dry-run")
    assert code == 0 and "not known: simclr" in said
    (told,) = [line for line in said.splitlines() if line.startswith("disk")]
    assert bench_command(*arguments)[0] == 0
    (encoder,) = tmp_path.rglob("*.safetensors")
    assert abs(float(told.split()[2]) - encoder.stat().st_size / 2**20) < 0.1
    assert "from 1 record of a kind" in bench_command(*arguments, "--on-existing", "rerun", "--dry-run")[1]
