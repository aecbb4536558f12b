"""Several runs on one folder divide its cells among them."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench import records
from bench.errors import UserError
from bench.metrics import METRICS
from bench.running import claims, places, scheduler
from bench.running.plan import plan
from bench.running.signals import Stop
from tests.benchmarks import claims_at_scale
from tests.small_cells import options, wait_for


def test_a_claim_is_held_once_and_given_up(tmp_path):
    record = tmp_path / "seed0.json"
    with claims.Claims().take(record) as claim:
        assert claim.held()
        assert claims.Claims().take(record) is None
    assert list(tmp_path.iterdir()) == []


def owned_by(path: Path, **owner) -> None:
    path.write_text(json.dumps({"place": claims.machine(), "pid": 1, "started": "1", "token": "x"} | owner))


@pytest.mark.parametrize("pid", [2**22 + 1, 1], ids=["a process that is gone", "a later process of its number"])
def test_the_claim_of_a_dead_run_is_taken_over(tmp_path, pid):
    record = tmp_path / "seed0.json"
    owned_by(tmp_path / ".seed0.json.claim-3", pid=pid)
    with claims.Claims().take(record) as claim:
        assert claim.path.name.endswith("claim-4") and claim.held()
        assert claims.Claims().take(record) is None
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_lost_its_claim_leaves_the_claim_of_its_successor(tmp_path):
    record, sleeper = tmp_path / "seed0.json", claims.Claims()
    with sleeper.take(record) as lost:
        owned_by(lost.path, pid=2**22 + 1)  # it counts as dead, as one that slept on another machine does
        successor = claims.Claims().take(record)
        assert not lost.held()
    assert successor.held() and claims.Claims().take(record) is None
    with successor:
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_that_nobody_waited_for_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    wait_for(lambda: claims.started(child.pid) is None)
    child.wait()


@pytest.mark.parametrize("content", ['{"place": "elsewhere"}', "", "[1]", "\0"])
def test_a_claim_from_elsewhere_dies_of_silence_only(tmp_path, monkeypatch, content):
    path, ours = tmp_path / ".seed0.json.claim-0", claims.Claims()
    path.write_text(content)
    monkeypatch.setattr(claims, "SILENT", 0.2)
    assert ours.take(tmp_path / "seed0.json") is None
    time.sleep(0.3)
    os.utime(path)  # a sign of life
    assert ours.take(tmp_path / "seed0.json") is None
    time.sleep(0.3)
    assert ours.take(tmp_path / "seed0.json") is not None


def test_a_claim_that_ended_while_it_was_judged_is_not_outbid(tmp_path, monkeypatch):
    record, path = tmp_path / "seed0.json", tmp_path / ".seed0.json.claim-0"
    owned_by(path, pid=2**22 + 1)
    create = claims._create

    def late(mine: Path, says: dict) -> bool:
        owned_by(path, pid=os.getpid(), started=claims.started(os.getpid()), token="of another run")
        return create(mine, says)

    monkeypatch.setattr(claims, "_create", late)
    assert claims.Claims().take(record) is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_another_run_finished_meanwhile_is_not_computed_again(tmp_path):
    task = plan(options(tmp_path, "raw_pixels"))[0][0]
    path = tmp_path / "results" / task.cell.record_path
    records.write(records.Record(*task.cell.board, "raw_pixels", 0, "ok", metrics=dict.fromkeys(METRICS, 0.5)), path)
    events = []
    scheduler.run_all([task], tmp_path / "results", lambda _, event: events.append(event), Stop())
    assert events == [] and [p.name for p in path.parent.iterdir()] == ["seed0.json"]


def test_a_cell_that_another_run_took_over_is_waited_for(tmp_path, monkeypatch):
    (task,) = plan(options(tmp_path, "raw_pixels"))[0]
    path, computed = tmp_path / "results" / task.cell.record_path, []
    monkeypatch.setattr(scheduler, "WAIT", 0.0)

    def loses(*arguments) -> bool:
        computed.append(True)
        return len(computed) > 2 or bool(records.write(RECORD, path) if len(computed) == 2 else None)

    RECORD = records.Record(*task.cell.board, "raw_pixels", 0, "ok", metrics=dict.fromkeys(METRICS, 0.5))
    monkeypatch.setattr(scheduler, "_compute", loses)
    scheduler.run_all([task], tmp_path / "results", lambda *_: None, Stop())
    assert len(computed) == 2 and path.exists()  # lost twice; the second time its record is there


def test_what_a_record_of_another_run_lacks_is_added(tmp_path):
    out = tmp_path / "results"
    wanting, first = (plan(options(tmp_path, "random_init", **asked))[0] for asked in ({"evaluators": "clustering"}, {}))
    scheduler.run_all(first, out, lambda *_: None, Stop())
    scheduler.run_all(wanting, out, lambda *_: None, Stop())
    (record,), _ = records.read_all(out)
    assert {"linear_top1", "cluster_nmi"} <= record.metrics.keys()


def test_a_claim_that_is_released_while_its_age_is_asked_for_counts_as_alive(tmp_path):
    gone = tmp_path / ".seed0.json.claim-0"
    assert claims.Claims(by_age=True)._alive(gone, None)


def test_a_claim_that_cannot_be_read_lives_by_its_heartbeats(tmp_path, monkeypatch):
    path = tmp_path / ".seed0.json.claim-0"
    path.write_text("another user's")
    monkeypatch.setattr(Path, "read_bytes", lambda *_: (_ for _ in ()).throw(PermissionError()))
    before = claims._signature(path)
    os.utime(path, (1, 1))
    assert before is not None and claims._signature(path) != before


def test_a_process_that_the_system_hides_is_alive(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(claims, "started", lambda pid: None)
    assert not claims.lives({"pid": os.getpid(), "started": "1"})
    monkeypatch.setattr(os, "kill", refused)
    assert claims.lives({"pid": 7, "started": "1"})


def test_a_record_that_is_replaced_while_it_is_read_is_another_one(tmp_path, monkeypatch):
    out = tmp_path / "results"
    (task,) = plan(options(tmp_path, "raw_pixels"))[0]
    record = records.Record(*task.cell.board, "raw_pixels", 0, "ok", metrics=dict.fromkeys(METRICS, 0.5))
    records.write(record, out / task.cell.record_path)
    read = records.read

    def slow(path):
        found = read(path)
        records.write(record, path)
        return found

    monkeypatch.setattr(places.records, "read", slow)
    found = places.find(task.cell, out)
    monkeypatch.undo()
    assert found.stamp != places.find(task.cell, out).stamp


def test_many_workers_neither_lose_nor_double_a_cell(tmp_path):
    found = claims_at_scale.measure(tmp_path, claims_at_scale.tasks(60), 6)
    assert (found.lost, found.doubled, found.left) == (0, 0, 0)


def test_what_another_run_computed_again_with_the_same_result_is_not_computed_once_more(tmp_path):
    """A cell that fails alike leaves a record that is alike: its file tells that it was written again."""
    out = tmp_path / "results"
    planned = lambda: plan(options(tmp_path, "raw_pixels", on_existing="failed"))[0][0]  # noqa: E731
    failed = records.Record(*planned().cell.board, "raw_pixels", 0, "failed")
    records.write(failed, out / planned().cell.record_path)
    task = planned()
    assert task.due("failed") and task.left(out)
    records.write(failed, out / task.cell.record_path)
    assert not task.left(out) and planned().left(out)


def test_two_runs_that_add_to_one_record_both_do(tmp_path):
    out = tmp_path / "results"
    planned = lambda **asked: plan(options(tmp_path, "random_init", **asked))[0]  # noqa: E731
    scheduler.run_all(planned(), out, lambda *_: None, Stop())
    first, second = planned(evaluators="clustering"), planned(evaluators="spectrum")
    for tasks in (first, second):
        scheduler.run_all(tasks, out, lambda *_: None, Stop())
    (record,), _ = records.read_all(out)
    assert {"linear_top1", "cluster_nmi", "rankme"} <= record.metrics.keys()
    assert not second[0].left(out)


@pytest.mark.parametrize("on_existing", ["rerun", "failed"])
def test_a_share_of_a_run_leaves_what_another_share_has_computed(tmp_path, on_existing):
    """A task of a job array may start, or be requeued, long after others have computed cells of the same run."""
    whole = options(tmp_path, "raw_pixels", on_existing=on_existing)
    due = lambda chosen: plan(chosen)[0][0].due(on_existing)  # noqa: E731
    cell, out = plan(whole)[0][0].cell, tmp_path / "results"
    failed = records.Record(*cell.board, "raw_pixels", 0, "failed")
    records.write(failed, out / cell.record_path)
    time.sleep(0.1)
    share = replace(whole, begun=claims.clock(out))
    assert due(share) and due(whole)
    time.sleep(0.1)
    records.write(failed, out / cell.record_path)
    assert not due(share) and due(whole)


def test_where_a_record_is_done_an_old_claim_of_another_machine_is_dead(tmp_path):
    path = tmp_path / ".seed0.json.claim-0"
    path.write_text('{"place": "elsewhere", "pid": 1}')
    assert claims.Claims(by_age=True).take(tmp_path / "seed0.json") is None
    os.utime(path, (time.time() - 1000,) * 2)
    assert claims.Claims().take(tmp_path / "seed0.json") is None
    assert claims.Claims(by_age=True).take(tmp_path / "seed0.json") is not None


def test_the_age_of_a_claim_is_by_the_clock_of_its_folder(tmp_path, monkeypatch):
    path = tmp_path / ".seed0.json.claim-0"
    path.write_text("")
    monkeypatch.setattr(claims.time, "time", lambda: 1e12)  # this machine's clock is wrong
    assert claims.age(path, claims.clock(tmp_path)) < 5


def test_a_damaged_record_of_the_default_settings_is_no_record_of_others(tmp_path):
    (task,), _ = plan(options(tmp_path, "simclr"))
    path = tmp_path / "results" / task.cell.record_path
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert plan(options(tmp_path, "simclr:temperature=0.3"))[0][0].existing is None
    with pytest.raises(UserError, match="no readable record"):
        plan(options(tmp_path, "simclr"))
