"""What several tests need."""

from __future__ import annotations

import pytest
import torch

from tests.commands import exit_code


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def bench_command(capsys):
    """Run a command in this process: ``bench_command("list", "methods")`` -> (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = exit_code(*arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def out(tmp_path, monkeypatch):
    """A folder with a few records on one leaderboard."""
    from tests import made_up

    made_up.install(monkeypatch)
    folder = tmp_path / "results"
    made_up.write(folder, made_up.few())
    return folder


@pytest.fixture
def clocks(monkeypatch):
    """The clocks of time and of computing in the test's hands: ``clocks(seconds)`` of work, or ``clocks(seconds, computed)``."""
    from bench import standstill

    state = [100.0, 10.0]
    monkeypatch.setattr(standstill.time, "perf_counter", lambda: state[0])
    monkeypatch.setattr(standstill, "_computed", lambda: state[1])
    for name, value in {"_watching": True, "_last": (100.0, 10.0), "_stood": 0.0}.items():
        monkeypatch.setattr(standstill, name, value)

    def pass_(seconds: float, computed: float | None = None) -> None:
        state[0] += seconds
        state[1] += seconds if computed is None else computed

    return pass_
