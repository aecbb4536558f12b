"""When checkpoints are written, which one is picked up, and when they go."""

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench import records
from bench.budget import parse_budget
from bench.datasets.registry import open_splits
from bench.methods import registry
from bench.running import check, claims, cleanup, session
from bench.running.cell import blank
from bench.running.plan import plan
from bench.training import checkpoint, checkpointer
from bench.training.trainer import Callbacks
from tests.small_cells import options

CPU = torch.device("cpu")


def trained(folder: Path, every: str | None = "1steps") -> list[float]:
    """The progress at each checkpoint of five epochs."""
    saved: list[float] = []
    budget = None if every is None else parse_budget(every)
    made = checkpointer.Checkpointer(folder / "checkpoint", "cell", budget, lambda: 0)
    callbacks = Callbacks(save_due=made.due, save=lambda t: (saved.append(t.progress), made.save(t)))
    trainer = check.trainer(registry()["moco"], "5ep", callbacks=callbacks)
    made.resume(trainer, lambda line: None)
    trainer.fit()
    return saved


def test_by_default_twenty_checkpoints_at_most_lie_in_a_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "DEAREST", 1e9)
    assert trained(tmp_path, None) == [step / 20 for step in range(1, 21)]


def test_an_interval_in_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "DEAREST", 1e9)
    assert trained(tmp_path, "2ep") == [0.4, 0.8, 1.0]


def test_dear_checkpoints_are_rare(tmp_path, monkeypatch):
    slow = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda *args: (time.sleep(0.2), slow(*args)))
    assert len(trained(tmp_path)) == 1


def test_of_two_checkpoints_the_one_before_stands_in(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "DEAREST", 1e9)
    trained(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "checkpoint.previous"]
    (tmp_path / "checkpoint").write_bytes(b"damaged")
    said: list[str] = []
    assert checkpoint.load(tmp_path / "checkpoint", "cell", CPU, said.append)["step"] == 19
    assert len(said) == 1 and "is damaged" in said[0]


def test_the_identity_tells_recipes_seeds_data_and_states_apart(tmp_path):
    one, other = (plan(options(tmp_path, "moco", sets=sets))[0][0].cell for sets in ((), ("lr=0.5",)))
    assert len({one.identity("a"), one.identity("b"), other.identity("a"), type(one)(one.recipe, 1).identity("a")}) == 4
    small, large = (torch.nn.Linear(2, n) for n in (3, 4))
    assert checkpointer.shape_of(small) != checkpointer.shape_of(large)


def test_a_checkpoint_runs_no_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    checkpoint.save(tmp_path / "checkpoint", "cell", {"bomb": Bomb()})
    said: list[str] = []
    assert checkpoint.load(tmp_path / "checkpoint", "cell", CPU, said.append) is None
    assert len(said) == 1 and not (tmp_path / "exploded").exists()


@pytest.fixture
def done(tmp_path):
    """A cell with a good record, as the run sees it that would do it next, and where its checkpoints lie."""
    chosen = options(tmp_path, "simclr")
    cell = plan(chosen)[0][0].cell
    data = {"fingerprint": open_splits(cell.recipe.spec, tmp_path).fingerprint}
    scores = dict.fromkeys(("linear_top1", "linear_top5", "knn_top1", "knn200_top1"), 0.5)
    records.write(replace(blank(cell), status="ok", metrics=scores, data=data), chosen.out / cell.record_path)
    kept = chosen.conditions.runs / cell.checkpoint_path
    return chosen, kept, f"{cell.identity(data['fingerprint'])}-cpu-12345678"


def test_what_a_run_left_that_was_killed_after_the_record_is_removed_by_the_next(done):
    chosen, kept, identity = done
    for _ in range(2):
        checkpoint.save(kept, identity, {"step": 1})
    claim = chosen.out / kept.relative_to(chosen.conditions.runs).with_name(".seed0.json.claim-0")
    claim.write_text(json.dumps({"place": claims.machine(), "pid": 2**22 + 1, "started": "1", "token": "of the dead"}))
    assert session.run(chosen, Console(), dry_run=True) == 0 and kept.exists() and claim.exists()
    assert session.run(chosen, Console(), dry_run=False) == 0
    assert list(kept.parent.iterdir()) == [] and [p.name for p in claim.parent.iterdir()] == ["seed0.json"]


@pytest.mark.parametrize("case", ["of other settings", "damaged", "of a cell that failed", "of a cell that another run has"])
def test_a_checkpoint_that_may_be_needed_is_left(done, case):
    chosen, kept, identity = done
    checkpoint.save(kept, "other" if case == "of other settings" else identity, {"step": 1})
    if case == "damaged":
        kept.write_bytes(kept.read_bytes()[:-1])
    record = chosen.out / kept.relative_to(chosen.conditions.runs).with_name("seed0.json")
    if case == "of a cell that failed":
        records.write(replace(records.read(record), status="failed"), record)
    with claims.Claims().take(record) if case.endswith("has") else contextlib.nullcontext():
        cleanup.remove(plan(chosen)[0], chosen.out)
    assert kept.exists()


def test_a_cell_that_is_to_run_again_goes_on_from_its_checkpoint(done, monkeypatch):
    chosen, kept, identity = done
    checkpoint.save(kept, identity, {"step": 1})
    monkeypatch.setattr(session, "run_all", lambda *_: None)
    session.run(replace(chosen, on_existing="rerun"), Console(), dry_run=False)
    assert kept.exists()
