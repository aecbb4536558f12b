"""When checkpoints are written, which one is picked up, and when they go."""

import time
from pathlib import Path

import torch
from bench.methods import registry

from bench import checker, checkpoint, keeper, session
from bench.budget import parse_budget
from tests.small_cells import options

CPU = torch.device("cpu")


def trained(folder: Path, every: str | None = "1steps") -> tuple[keeper.Keeper, list[float]]:
    """A trainer whose checkpoints are counted, with the progress at each."""
    trainer = checker.trainer(registry()["moco"], "5ep")
    budget = None if every is None else parse_budget(every)
    kept, saved = keeper.Keeper(trainer, folder / "checkpoint", "cell", budget, lambda: 0), []
    kept.resume(lambda line: None)
    save = trainer.save
    trainer.save = lambda t: (saved.append(t.progress), save(t))
    return kept, saved


def test_by_default_twenty_checkpoints_at_most_lie_in_a_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "DEAREST", 1e9)
    kept, saved = trained(tmp_path, None)
    kept.trainer.fit()
    assert saved == [step / 20 for step in range(1, 21)]


def test_an_interval_in_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "DEAREST", 1e9)
    kept, saved = trained(tmp_path, "2ep")
    kept.trainer.fit()
    assert saved == [0.4, 0.8, 1.0]


def test_dear_checkpoints_are_rare(tmp_path, monkeypatch):
    kept, saved = trained(tmp_path)
    slow = checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda *args: (time.sleep(0.2), slow(*args)))
    kept.trainer.fit()
    assert len(saved) == 1


def test_of_two_checkpoints_the_one_before_stands_in(tmp_path, monkeypatch):
    monkeypatch.setattr(keeper, "DEAREST", 1e9)
    kept, _ = trained(tmp_path)
    kept.trainer.fit()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "checkpoint.previous"]
    (tmp_path / "checkpoint").write_bytes(b"damaged")
    said: list[str] = []
    assert checkpoint.load(tmp_path / "checkpoint", kept.identity, CPU, said.append)["step"] == 19
    assert len(said) == 1 and "is damaged" in said[0]


def test_the_identity_tells_recipes_seeds_data_and_states_apart(tmp_path):
    one, other = (session.plan(options(tmp_path, "moco", sets=sets))[0][0].cell for sets in ((), ("lr=0.5",)))
    assert len({one.identity("a"), one.identity("b"), other.identity("a"), type(one)(one.recipe, 1).identity("a")}) == 4
    small, large = (torch.nn.Linear(2, n) for n in (3, 4))
    assert keeper.shape_of(small) != keeper.shape_of(large)


def test_a_checkpoint_runs_no_code(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    checkpoint.save(tmp_path / "checkpoint", "cell", {"bomb": Bomb()})
    said: list[str] = []
    assert checkpoint.load(tmp_path / "checkpoint", "cell", CPU, said.append) is None
    assert len(said) == 1 and not (tmp_path / "exploded").exists()
