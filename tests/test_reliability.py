"""Nothing is lost: exact resume, signals, isolation, claims, storage faults. The long form is `tox -e stress`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from bench.methods import registry

from bench import checker, checkpoint, claims, keeper, records, runner, session
from bench.budget import parse_budget
from bench.cli import main
from bench.errors import Stopped, UserError
from bench.signals import Stop

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")
SMALL = ("--datasets", "digits:fraction=0.2", "--batch-size", "16", "--device", "cpu", "--seeds", "1")
LIMITED = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); os.execv(sys.argv[1], sys.argv[1:])"


def command(folder: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "bench", "run", *SMALL, "--out", str(folder / "results"), *flags]


def environment(root: Path = ROOT) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}


def bench(*arguments: str, capfd) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0), *capfd.readouterr()


def test_the_short_stress_test_loses_nothing():
    arguments = [sys.executable, "tests/stress", "--short"]
    done = subprocess.run(arguments, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "survived" in done.stdout


# Signals


@pytest.fixture
def endless(tmp_path):
    """A run of a cell that is training and would train for hours, in a process group of its own."""
    log = tmp_path / "log"
    with log.open("w") as out:
        arguments = command(tmp_path, "--methods", "simclr", "--budget", "10Msteps", "--checkpoint-every", "1steps")
        run = subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=out, stderr=out, start_new_session=True)
    wait_for(lambda: list(tmp_path.rglob("seed0.checkpoint")) or run.poll() is not None)
    yield run, log
    if not group_ended(run.pid):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def wait_for(holds, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


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


def tasks_of(folder: Path, methods: str, budget: str, **changes) -> list[runner.Task]:
    fixed = dict(datasets="digits:fraction=0.2", seeds=1, backbone=None, batch_size=16, device="cpu", on_existing="skip", sets=())
    places = dict(out=folder / "results", runs=folder / "runs", data_root=folder)
    return session.plan(session.Options(methods=methods, budget=budget, **(fixed | places | changes)))[0]


def test_a_stopped_cell_ends_as_if_it_had_not_been(tmp_path):
    results = []
    for name in ("whole", "stopped"):
        task = tasks_of(tmp_path / name, "ifnd_elim", "45steps")[0]
        stop, resumed = Stop(), []

        def hear(_, event, name=name, stop=stop, resumed=resumed):
            resumed += [event["resumed"]] if "resumed" in event else []
            if event.get("phase") == "train" and not resumed and name == "stopped":
                stop.number = signal.SIGTERM

        if name == "stopped":
            with pytest.raises(Stopped):
                runner.run_all([task], tmp_path / name / "results", hear, stop)
            assert not list((tmp_path / name).rglob("seed0.json"))
        runner.run_all([task], tmp_path / name / "results", hear, Stop())
        assert bool(resumed) == (name == "stopped")
        record = records.read(tmp_path / name / "results" / task.cell.record_path)
        losses = [point["loss"] for point in record.curve]
        results.append((record.metrics, losses, (tmp_path / name / "runs" / task.cell.encoder_path).read_bytes()))
        assert not list(tmp_path.rglob("*.checkpoint*"))
    assert results[0] == results[1]


# Isolation

FAULTY = """
import os, time
import torch
from . import simclr

class Base(simclr.SimCLR):
    def loss(self, views, index):
        if not os.environ.get("MENDED"):
            self.fail()
        return super().loss(views, index)

class Raises(Base):
    name, summary = "raises", "x"
    def fail(self): raise ValueError("from the loss")

class Hangs(Base):
    name, summary = "hangs", "x"
    def fail(self): time.sleep(1000)

class Vanishes(Base):
    name, summary = "vanishes", "x"
    def fail(self): os.kill(os.getpid(), 9)

class Starves(Base):
    name, summary = "starves", "x"
    def fail(self): torch.empty(2**60, dtype=torch.uint8)
"""


def test_every_way_to_fail_is_a_record_and_the_others_run_on(tmp_path):
    for name in ("bench", "datasets"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "methods", tmp_path / "methods")
    (tmp_path / "methods" / "faulty.py").write_text(FAULTY)
    flags = ("--methods", "raises,hangs,vanishes,starves,simclr", "--budget", "2steps", "--cell-timeout", "12s")

    def run(*more: str, **variables: str) -> subprocess.CompletedProcess:
        arguments, variables = command(tmp_path, *flags, *more), environment(tmp_path) | variables
        return subprocess.run(arguments, cwd=tmp_path, env=variables, capture_output=True, text=True)

    done = run()
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    found = {record.method: record for record in records.read_all(tmp_path / "results")[0]}
    statuses = {name: record.status for name, record in found.items()}
    expected = {"raises": "failed", "hangs": "timeout", "vanishes": "killed", "starves": "out_of_memory", "simclr": "ok"}
    assert statuses == expected
    assert found["raises"].error["exception"] == "ValueError: from the loss"
    assert "in fail" in found["raises"].error["traceback"]
    assert "SIGKILL" in found["vanishes"].error["exception"] and "12s" in found["hangs"].error["exception"]
    again = run("--on-existing", "failed", "--cell-timeout", "1h", MENDED="1")
    assert again.returncode == 0 and again.stdout.count("\nok") == 4


# Several runs on one folder


def test_a_claim_is_held_once_and_given_up(tmp_path):
    record = tmp_path / "seed0.json"
    with claims.Claims().take(record) as claim:
        assert claim.held()
        assert claims.Claims().take(record) is None
    assert list(tmp_path.iterdir()) == []


def owned_by(path: Path, **owner) -> None:
    path.write_text(json.dumps({"place": claims.place(), "pid": 1, "started": "1", "token": "x"} | owner))


@pytest.mark.parametrize("pid", [2**22 + 1, 1], ids=["a process that is gone", "a later process of its number"])
def test_the_claim_of_a_dead_run_is_taken_over(tmp_path, pid):
    record = tmp_path / "seed0.json"
    owned_by(tmp_path / ".seed0.json.claim-3", pid=pid)
    with claims.Claims().take(record) as claim:
        assert claim.path.name.endswith("claim-4") and claim.held()
        assert claims.Claims().take(record) is None
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

    def late(mine: Path, token: str) -> bool:
        owned_by(path, pid=os.getpid(), started=claims.started(os.getpid()), token="of another run")
        return create(mine, token)

    monkeypatch.setattr(claims, "_create", late)
    assert claims.Claims().take(record) is None
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_what_another_run_finished_meanwhile_is_not_computed_again(tmp_path):
    task = tasks_of(tmp_path, "raw_pixels", "1steps")[0]
    path = tmp_path / "results" / task.cell.record_path
    records.write(records.Record(*task.cell.board, "raw_pixels", 0, "ok"), path)
    events = []
    runner.run_all([task], tmp_path / "results", lambda _, event: events.append(event), Stop())
    assert events == [] and [p.name for p in path.parent.iterdir()] == ["seed0.json"]


# Checkpoints


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
    one, other = (tasks_of(tmp_path, "moco", "5steps", sets=sets)[0].cell for sets in ((), ("lr=0.5",)))
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


# Storage and records


def test_a_full_disk_ends_the_run_with_one_line(tmp_path):
    arguments = command(tmp_path, "--methods", "raw_pixels,simclr", "--budget", "3steps")
    limited = [sys.executable, "-c", LIMITED, *arguments]
    done = subprocess.run(limited, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write") and done.stderr.count("\n") == 1
    assert "ok  " in done.stdout and len(records.read_all(tmp_path / "results")[0]) == 1
    assert not [p for p in tmp_path.rglob(".*") if p.is_file()]


def some(folder: Path, method: str = "simclr") -> Path:
    path = folder / f"digits/test_resnet/1ep/{method}/seed0.json"
    metrics = {"linear_top1": 0.5, "linear_top5": 0.5, "knn_top1": 0.5, "knn200_top1": 0.5}
    records.write(records.Record("digits", "test_resnet", "1ep", method, 0, "ok", metrics=metrics), path)
    return path


@pytest.mark.parametrize("content", ["", "{", "[]", '{"track": 1}', "[" * 100_000, '{"schema_version": 1, "track": "digits"}'])
def test_a_damaged_record_is_named_and_left(tmp_path, capfd, content):
    bad, _ = some(tmp_path), some(tmp_path, "moco")
    bad.write_text(content)
    for arguments in (["report"], ["list", "results"]):
        code, out, err = bench(*arguments, "--out", str(tmp_path), capfd=capfd)
        assert code == 0 and err.count(str(bad)) == 1, err
    assert "digits/test_resnet/1ep/moco/seed0" in out
    chosen = ("--datasets", "digits", "--methods", "simclr", "--budget", "1ep", "--seeds", "1")
    code, _, err = bench("run", *chosen, "--out", str(tmp_path), capfd=capfd)
    assert code == 2 and err.startswith(f"error: {bad}") and err.count("\n") == 1
    assert bad.read_text() == content


def test_a_newer_schema_is_refused_with_advice_and_an_older_one_read(tmp_path):
    path = some(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"schema_version": 2}))
    with pytest.raises(UserError, match="update the harness"):
        records.read(path)
    older = {key: content[key] for key in ("track", "backbone", "budget", "method", "seed", "status", "metrics")}
    path.write_text(json.dumps(older | {"schema_version": 1, "forgotten": True}))
    assert records.read(path).metrics == content["metrics"]


def test_a_record_at_the_place_of_another_is_named(tmp_path):
    path = some(tmp_path)
    path.rename(path.with_name("seed1.json"))
    found, problems = records.read_all(tmp_path)
    assert found == [] and "seed1.json is the record of simclr, seed 0" in problems[0]
