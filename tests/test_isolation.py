"""A cell that fails, in whatever way, fails alone."""

import shutil
import subprocess

from bench import records
from tests.small_cells import ROOT, command, environment

FAULTY = """
import os, time
import torch
from . import simclr

class Base(simclr.SimCLR):
    def loss(self, views, index):
        if self.name != os.environ.get("MENDED"):
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
    for name in ("bench", "methods"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    (tmp_path / "methods" / "faulty.py").write_text(FAULTY)

    def run(methods: str, *flags: str, **variables: str) -> subprocess.CompletedProcess:
        arguments, variables = command(tmp_path, methods, *flags, budget="2steps"), environment(tmp_path) | variables
        return subprocess.run(arguments, cwd=tmp_path, env=variables, capture_output=True, text=True)

    def found() -> dict[str, records.Record]:
        return {record.method: record for record in records.read_all(tmp_path / "results")[0]}

    done = run("raises,vanishes,starves,simclr")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    first = found()
    statuses = {name: record.status for name, record in first.items()}
    assert statuses == {"raises": "failed", "vanishes": "killed", "starves": "out_of_memory", "simclr": "ok"}
    assert first["raises"].error["exception"] == "ValueError: from the loss"
    assert "in fail" in first["raises"].error["traceback"] and "SIGKILL" in first["vanishes"].error["exception"]
    again = run("vanishes,simclr,hangs", "--on-existing", "failed", "--cell-timeout", "12s", MENDED="vanishes")
    assert again.returncode == 1 and again.stdout.count("\nok") == 1
    assert found()["vanishes"].status == "ok" and found()["hangs"].status == "timeout"
    assert "12s" in found()["hangs"].error["exception"]
