"""Several workers on one machine: who gets what, one signal for all, and one that is killed."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench import environment
from bench.errors import Stopped, StorageError, UserError
from bench.running import launch
from bench.running.signals import Stop
from tests.small_cells import wait_for


def gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_cores_are_divided(monkeypatch):
    monkeypatch.setattr(launch, "available", lambda: 8)
    assert [worker["OMP_NUM_THREADS"] for worker in launch.on_cores(3)] == ["2", "2", "2"]
    assert launch.on_cores(20)[0]["OMP_NUM_THREADS"] == "1"


def test_each_gpu_has_a_worker(monkeypatch):
    gpus(monkeypatch, 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [worker["CUDA_VISIBLE_DEVICES"] for worker in launch.on_gpus("all")] == ["0", "1", "2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7,GPU-a,GPU-b")
    assert [worker["CUDA_VISIBLE_DEVICES"] for worker in launch.on_gpus("0, 2")] == ["5", "GPU-a"]
    for text, why in (("9", "this machine has 4"), ("0,0", "twice"), ("one", "no GPU 'one'")):
        with pytest.raises(UserError, match=why):
            launch.on_gpus(text)
    gpus(monkeypatch, 0)
    with pytest.raises(UserError, match="sees no CUDA device"):
        launch.on_gpus("all")


def test_devices_are_numbered(monkeypatch):
    gpus(monkeypatch, 2)
    assert str(environment.choose_device("cuda:1")) == "cuda:1"
    for text, why in (("cuda:2", "has 2 CUDA devices"), ("cuda:x", "unknown"), ("tpu", "unknown")):
        with pytest.raises(UserError, match=why):
            environment.choose_device(text)


def take_turns(folder: Path, console: Console) -> None:
    """A worker that takes files which no other has taken, and says how many threads it was given."""
    (folder / f"ready{os.getpid()}").touch()
    wait_for(lambda: len(list(folder.glob("ready*"))) == 2)
    for number in range(20):
        try:
            (folder / f"cell{number}").open("x").close()
        except FileExistsError:
            continue
        console.print(f"cell {number} with {os.environ['OMP_NUM_THREADS']} threads", highlight=False)
        time.sleep(0.02)


def wait_for_a_signal(folder: Path, console: Console) -> None:
    with Stop() as stop:
        (folder / f"ready{os.getpid()}").touch()
        while not stop.number:
            time.sleep(0.02)
        (folder / f"saved{os.getpid()}").touch()
        stop.check()


def find_a_full_disk(folder: Path, console: Console) -> None:
    console.print("before")
    raise StorageError("cannot write x: no space left on device")


def be_killed_or_wait(folder: Path, console: Console) -> None:
    try:
        (folder / "first").open("x").close()
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_share_what_there_is_and_their_lines_are_shown(tmp_path, capsys):
    launch.run(take_turns, tmp_path, [{"OMP_NUM_THREADS": "3"}] * 2, tmp_path / "logs", Console(width=200), Stop())
    said = [line for line in capsys.readouterr().out.splitlines() if "cell" in line]
    assert len(said) == 20 == len({line.split()[2] for line in said}) and all(line.endswith("3 threads") for line in said)
    assert {line.split()[0] for line in said} == {"[0]", "[1]"}, "each has had a part"
    assert all((tmp_path / "logs" / f"worker{number}.log").read_text() for number in (0, 1))
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] != "3"


def test_one_signal_ends_all_and_each_has_saved(tmp_path):
    def interrupt():
        while len(list(tmp_path.glob("ready*"))) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(Stopped):
        launch.run(wait_for_a_signal, tmp_path, [{}, {}], tmp_path / "logs", Console(quiet=True), Stop())
    assert len(list(tmp_path.glob("saved*"))) == 2


def test_a_full_disk_of_a_worker_ends_the_run(tmp_path):
    with pytest.raises(StorageError, match=r"^cannot write x: no space left on device$"):
        launch.run(find_a_full_disk, tmp_path, [{}, {}], tmp_path / "logs", Console(quiet=True), Stop())


def test_a_killed_worker_is_named(tmp_path, capsys):
    launch.run(be_killed_or_wait, tmp_path, [{}, {}], tmp_path / "logs", Console(width=200), Stop())
    assert "ended by SIGKILL" in capsys.readouterr().out
