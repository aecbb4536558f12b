"""Documents say what is so: examples work, commands have their options, tables are of the records, and the layers hold."""

import ast
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
import typer

from bench.backbone import build_backbone, save_encoder
from bench.datasets.registry import tracks
from bench.evaluation.frozen import Features, Frozen
from bench.methods import registry
from bench.recipe import config_keys
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
    assert kind.name == "logistic" and len(list(check.check(kind))) == 6


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
    assert tracked.returncode == 1 and tracked.stdout == "", tracked.stdout + tracked.stderr  # 1: nothing was found


def test_the_tables_of_this_repository_are_those_of_its_records(bench_command):
    code, said, problems = bench_command("report", "--check", "--out", str(ROOT / "results"))
    assert code == 0 and problems == "", said + problems


def test_the_loader_of_the_readme_gives_the_same_features(tmp_path, monkeypatch):
    (loader,) = [text for text in examples("README.md") if "safe_open" in text]
    encoder = build_backbone("test_resnet", 3, 32).eval()
    save_encoder(encoder, tmp_path / "seed0.safetensors", "test_resnet", 3, 32)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(compile(loader, "README.md", "exec", dont_inherit=True), found)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(found["model"](images), encoder(images))


def commands() -> set[tuple[str, str]]:
    """Each command with each of its options in a document."""
    texts = [path.read_text().replace("\\\n", " ") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    lines = [line for text in texts for line in re.findall(r"python -m bench ([a-z][^\n`#]*)", text)]
    parts = [line.split() for line in lines]
    named = [(" ".join(words[:2]) if words[0] == "data" else words[0], words) for words in parts]
    return {(name, word.split("=")[0]) for name, words in named for word in words if word.startswith("--")}


def test_the_commands_of_the_documents_have_the_options_that_are_shown():
    from bench.cli.app import app

    group = typer.main.get_command(app)
    shown = commands()
    assert {"run", "report", "data get", "tune", "cancel", "throughput"} <= {name for name, _ in shown}
    for name, option in shown:
        command = group
        for word in name.split():
            command = command.commands[word]
        assert option in {text for parameter in command.params for text in parameter.opts}, (name, option)


def imported(path: Path) -> set[str]:
    """The modules that a file imports, relative ones with their dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize(("folder", "inside"), [("methods", 1), ("datasets", 1)])
def test_methods_and_datasets_import_nothing_of_the_harness(folder, inside):
    files = list((ROOT / folder).rglob("*.py"))
    assert len(files) > 10
    for path in files:
        depth = len(path.relative_to(ROOT / folder).parts)
        for name in imported(path):
            dots = len(name) - len(name.lstrip("."))
            beyond = dots > depth and not name.lstrip(".").startswith("datasets")
            assert not beyond and name.split(".")[0] != "bench", (path, name)


LAYERS = ("cli", "running", "reporting", "throughput", "training", "evaluation")  # each imports only what is behind it


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_of_the_harness_point_down(folder):
    above = LAYERS[: LAYERS.index(folder)]
    for path in (ROOT / "bench" / folder).glob("*.py"):
        wrong = [name for name in imported(path) if name.startswith("..") and name[2:].split(".")[0] in above]
        assert not wrong, (path, wrong)


def test_the_harness_names_no_method_no_setting_of_one_and_no_dataset():
    """In its code: documentation may give examples."""
    settings = set().union(*(config_keys(kind) for kind in registry().values()))
    names = {*registry(), *tracks(), *settings} - {"folder", "side", "features", "tau", "top"}  # words of the harness too
    for path in (ROOT / "bench").rglob("*.py"):
        if path.is_relative_to(ROOT / "bench" / "cli") or {"methods", "datasets"} & set(path.relative_to(ROOT).parts):
            continue
        tree = ast.parse(path.read_text())
        written = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert not written & names, (path, written & names)


def test_every_table_of_the_documents_has_records():
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "*No records in" not in path.read_text(), path
