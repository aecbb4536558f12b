"""Examples in documents work."""

import re
import subprocess
import sys
import types

import torch

from bench.evaluation.frozen import Features, Frozen
from bench.running import check
from tests.small_cells import ROOT


def examples(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def run(text: str, package: str, monkeypatch) -> dict:
    module = types.ModuleType(f"{package}.example")
    module.__package__ = package
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text, "CONTRIBUTING.md", "exec", dont_inherit=True), vars(module))
    return vars(module)


def test_the_method_of_the_example_holds(monkeypatch):
    method, _ = examples("CONTRIBUTING.md")
    kind = run(method, "bench.methods", monkeypatch)["Logistic"]
    assert kind.name == "logistic" and "scalar with a gradient" in next(iter(check.check(kind)))


def test_the_evaluator_of_the_example_holds(monkeypatch):
    _, evaluator = examples("CONTRIBUTING.md")
    labels = torch.arange(12) % 3
    values = torch.eye(3)[labels]
    found = run(evaluator, "bench.evaluation", monkeypatch)["ClassAlignment"]().evaluate(
        Frozen(*[Features(values, labels)] * 2, 3)
    )
    assert found == {"class_alignment": 0.0}


def test_no_file_holds_both_sides_of_a_merge():
    tracked = subprocess.run(["git", "grep", "-lE", "^(<{7}|>{7}) "], cwd=ROOT, capture_output=True, text=True)
    assert tracked.stdout == ""


def test_every_table_of_the_documents_has_records():
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "*No records in" not in path.read_text(), path
