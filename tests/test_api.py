"""What a notebook imports, and the notebook that shows it."""

import os
import subprocess
import sys
import threading

import pytest
import torch

import bench
from bench import api
from bench.errors import UserError
from bench.metrics import COSTS
from tests import made_up
from tests.small_cells import ROOT


def test_the_leaderboard_is_a_table_of_fractions(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made_up.write(tmp_path, made_up.few())
    board = bench.leaderboard(str(tmp_path))
    assert board["method"].iloc[0] == "alpha" and board["linear_top1"].between(0, 1).all()
    documented = bench.leaderboard.__doc__
    plain = [name for name in board if not name.startswith(("linear", "knn"))]
    assert [name for name in plain if name not in documented and name not in COSTS] == []


def test_what_is_left_out_is_warned_of(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made_up.write(tmp_path, made_up.few())
    whole = bench.leaderboard(tmp_path)
    path = tmp_path / "made_up_track/resnet18/10ep/alpha/seed1.json"
    path.write_text("{")
    (tmp_path / "published.csv").write_bytes(b"caf\xe9")
    with pytest.warns(UserWarning) as said:
        board = bench.leaderboard(tmp_path)
    assert len(said) == 2 and f"{path} is no readable record" in str(said[0].message) and "UTF-8" in str(said[1].message)
    assert board["n"].sum() == whole["n"].sum() - 1


def test_what_does_not_fit_is_said(tmp_path):
    with pytest.raises(UserError, match="not a folder of records"):
        bench.leaderboard(tmp_path / "gone")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bench.nothing


WRONG = [
    ({"seeds": 0}, "--seeds must be"),
    ({"seeds": 1.0}, "seeds is 1.0, not a whole number"),
    ({"seeds": "1"}, "seeds is '1', not a whole number"),
    ({"on_existing": "stalee"}, "none of skip"),
    ({"methods": None}, "methods is None, neither text nor a list"),
    ({"methods": {"simclr"}}, "methods is {'simclr'}, neither text nor a list"),
    ({"budget": 1}, "cannot read --budget '1'"),
    ({"backbone": object()}, "backbone is <object"),
    ({"out": None}, "out is None, not a path"),
    ({"sets": "temprature=1"}, "temprature"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_wrong_arguments_are_refused_and_write_nothing(tmp_path, wrong, said):
    with pytest.raises(UserError, match=said):
        bench.run(**dict(methods="simclr", datasets="digits", budget="1ep", out=tmp_path / "results", device="cpu") | wrong)
    with pytest.raises(UserError, match="--trials must be from 2"):
        bench.tune("simclr", "digits", trials=1, out=tmp_path / "results", device="cpu")
    assert not list(tmp_path.iterdir())


class Locked(torch.nn.Flatten):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_a_module_that_cannot_be_evaluated_is_one_line():
    with pytest.raises(UserError, match="Locked cannot be copied"):
        bench.evaluate(Locked(), "digits", device="cpu")
    with pytest.raises(UserError, match="go with an encoder that is a file"):
        bench.evaluate(torch.nn.Flatten(), "digits", device="cpu", backbone="resnet18")
    with pytest.raises(UserError, match="not finite"):
        bench.evaluate(torch.nn.Sequential(torch.nn.Flatten(), Nowhere()), "digits:fraction=0.2", device="cpu")


class Nowhere(torch.nn.Module):
    def forward(self, features):
        return features / 0


def test_a_module_may_be_a_script_or_within_autocast():
    spec, flat = "digits:fraction=0.2", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32))
    plain = bench.evaluate(flat, spec, device="cpu")
    assert bench.evaluate(torch.jit.trace(flat, torch.rand(2, 1, 8, 8)), spec, device="cpu") == plain
    with torch.autocast("cpu"):
        assert bench.evaluate(flat, spec, device=torch.device("cpu")) == plain


def test_importing_the_harness_imports_nothing_large():
    code = "import sys, bench; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_lists_of_texts_are_taken_and_names_are_offered(tmp_path):
    asked = dict(methods=["random_init", "raw_pixels"], datasets=("digits:images=100,classes=5",), budget="1ep", seeds=1)
    options = api._options(tmp_path, None, None, **asked, evaluators=["spectrum"], sets=["batch_size=32"])
    assert [str(one) for one in options.contenders] == ["random_init", "raw_pixels"]
    assert [str(one) for one in options.specs] == ["digits:classes=5,images=100"]
    assert [one.name for one in options.conditions.evaluators] == ["linear", "knn", "spectrum"]
    assert {"run", "evaluate", "leaderboard", "records"} <= set(dir(bench))


def test_a_plain_script_runs_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import bench\nprint('begun')\n"
        "board = bench.run('random_init', 'digits:images=100', '1ep', 1, out='results', device='cpu', quiet=True)\n"
        "print(board['n'].tolist())\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=300)
    assert (done.stdout.split(), done.stderr) == ([b"begun", b"[1]"], b"")


def test_the_notebook_runs(tmp_path, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    assert "linear_top1" in str(notebook.cells[1].outputs)
