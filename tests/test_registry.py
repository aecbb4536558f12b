"""Open folders and entry points: found without being imported, and broken ones hurt nobody else."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from bench import evaluation, outcomes
from bench.datasets import found, outline
from bench.datasets.errors import DataError
from bench.datasets.found import Member, Registry, given, of_folder
from bench.datasets.spec import Spec
from bench.evaluation.evaluator import Evaluator
from bench.evaluation.frozen import Scores
from bench.methods import Method, registry
from bench.methods.base import Config, Fraction
from bench.methods.parts import in_batch_base
from bench.records import Record
from bench.running import scores
from tests.small_cells import ROOT

LISTS = (["--help"], ["list", "methods"], ["list", "datasets"], ["list", "evaluators"], ["list", "results"])


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_what_computes_nothing_imports_no_torch(arguments, tmp_path):
    splits = {split: {"images": 2, "bytes": 8} for split in ("train", "test")}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "meta.json").write_text(
        json.dumps({"format": 1, "kind": "folder", "classes": 2, "fingerprint": "", "splits": splits})
    )
    code = (
        "import sys\nfrom bench.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'timm', 'lightly', 'sklearn', 'scipy', 'pandas', *(['numpy'] if '--help' in sys.argv else [])}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    variables = os.environ | {"BENCH_DATA": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=variables)
    assert done.returncode == 0 and ("mine" in done.stdout) == ("datasets" in arguments), done.stderr


def test_what_a_file_says_is_what_its_class_is():
    for name, kind in registry().items():
        says = registry().members[name].says
        assert (says["name"], says["summary"]) == (kind.name, kind.summary)
        assert says.get("role", "contestant") == kind.role and says.get("uses_labels", False) == kind.uses_labels


def test_a_report_that_was_made_before_needs_no_torch(tmp_path):
    """What the code alone decides is kept in the user's cache, and renewed with the code."""
    code = (
        "import sys\nfrom bench.cli import main\n"
        "try:\n    main(['list', 'results', '--stale'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    variables = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, cwd=ROOT) for _ in range(2)
    )
    assert (first.stderr, second.stderr) == ("True\n", "False\n") and first.stdout == second.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [("def f(:", "SyntaxError"), ("import no_such_package_at_all", "no_such_package_at_all"), ("from .gone import x", ".gone")],
)
def test_a_file_that_cannot_be_imported_says_why(tmp_path, text, why):
    (tmp_path / "broken.py").write_text(text)
    problem = outline.read(tmp_path / "broken.py").problem
    assert why in problem and str(tmp_path / "broken.py") in problem


def test_a_file_that_runs_code_is_not_plain(tmp_path):
    (tmp_path / "odd.py").write_text("raise RuntimeError('no')")
    (tmp_path / "plain.py").write_text(
        '"""x"""\nimport os\n\nclass A:\n    name, summary = "a", "b"\n\nclass B(A):\n    name = "c"\n'
    )
    plain = outline.read(tmp_path / "plain.py")
    assert plain.plain and plain.classes["B"] == {"name": "c", "summary": "b"} and plain.own["B"] == {"name": "c"}
    assert not outline.read(tmp_path / "odd.py").plain


def test_a_file_that_leaves_is_a_broken_member(tmp_path):
    (tmp_path / "leaves.py").write_text("raise SystemExit(0)")
    (member,) = of_folder(tmp_path, lambda path, outlined: exec(path.read_text()))
    assert "leaves.py cannot be imported: SystemExit: 0" in member.problem

    def leave():
        raise SystemExit(0)

    with pytest.raises(DataError, match="SystemExit: 0"):
        _ = Member("x", "x.py", leave).value


WRONG = [
    ('role = "hero"', "role is 'hero', not one of contestant, oracle, anchor"),
    ('uses_labels = "yes"', "uses_labels is 'yes', not one of True, False"),
    ("summary = 3", "summary is 3, not text"),
]


@pytest.mark.parametrize(("line", "why"), WRONG)
def test_a_wrong_declaration_is_an_error_of_the_file(line, why):
    with pytest.raises(TypeError, match=why):
        exec(f"class Made(Method):\n    name = 'made'\n    {line}", {"Method": Method, "__name__": "made"})


def test_settings_that_would_be_none_are_errors_of_the_file():
    class Bare(Config):
        share: Fraction = 0.5

    @dataclass(frozen=True)
    class Unannotated(in_batch_base.Config):
        temperature = 0.5

    for settings, why in ((Bare, "no @dataclass"), (Unannotated, "temperature has no annotation"), (int, "is no Config")):
        with pytest.raises(TypeError, match=why):
            type("Made", (Method,), {"config_type": settings})


def test_two_of_one_name_are_refused_with_both_places():
    both = Registry("no.such.group", lambda: [Member("a", "one.py", given(1)), Member("a", "two.py", given(2))])
    assert "a" in both and list(both) == []
    with pytest.raises(DataError, match=r"a is defined twice, in one\.py and in two\.py"):
        both["a"]


def test_a_package_adds_a_member_and_its_failure_is_its_own(monkeypatch):
    points = [EntryPoint("pi", "math:pi", "g"), EntryPoint("bad", "no_such_module_at_all:x", "g")]
    monkeypatch.setattr(found, "entry_points", lambda group: [p for p in points if p.group == group])
    registry = Registry("g", lambda: [])
    assert registry["pi"] == 3.141592653589793 and sorted(registry) == ["bad", "pi"]
    with pytest.raises(DataError, match="no_such_module_at_all"):
        registry["bad"]
    assert registry.loaded().keys() == {"pi"} and "no_such_module_at_all" in registry.broken()["bad"]


def test_a_broken_file_is_a_line_of_the_list(monkeypatch, bench_command):
    monkeypatch.setitem(
        registry().members, "broken", Member("broken", "x.py", given(None), problem="x.py cannot be imported: no")
    )
    code, out, _ = bench_command("list", "methods")
    assert code == 0 and "x.py cannot be imported: no" in out and "simclr" in out
    code, _, err = bench_command("run", "--methods", "broken", "--datasets", "digits", "--budget", "1ep")
    assert code == 2 and "x.py cannot be imported: no" in err


EVALUATOR = """
from bench.evaluation.evaluator import Evaluator
PREFIX = "made"
class Literal(Evaluator):
    name = "literal"
class Computed(Evaluator):
    name = PREFIX + "_up"
"""


def test_classes_are_read_from_files_and_imported_where_their_names_are_no_literals(tmp_path, monkeypatch):
    (tmp_path / "some_evaluators").mkdir()
    folder, find = tmp_path / "some_evaluators", found.classes("some_evaluators", lambda: Evaluator, ("name",), ())
    (folder / "read.py").write_text(EVALUATOR.partition("class Computed")[0])
    (folder / "run.py").write_text(EVALUATOR)
    (folder / "broken.py").write_text("def f(:")
    (folder / "raising.py").write_text("raise RuntimeError('no')")
    monkeypatch.syspath_prepend(tmp_path)
    made = {(member.name, Path(member.where).name): member for member in found.of_folder(folder, find)}
    assert set(made) == {
        ("literal", "read.py"), ("literal", "run.py"), ("made_up", "run.py"), ("broken", "broken.py"), ("raising", "raising.py"),
    }  # fmt: skip
    assert made["made_up", "run.py"].value.name == "made_up"
    assert "SyntaxError" in made["broken", "broken.py"].problem and "RuntimeError: no" in made["raising", "raising.py"].problem


def test_a_broken_evaluator_is_left_out_with_a_warning_unless_it_is_asked_for(monkeypatch, bench_command, tmp_path):
    why = "x.py cannot be imported: no"
    monkeypatch.setitem(evaluation.registry().members, "broken", Member("broken", "x.py", given(None), problem=why))
    plan = ("run", "--methods", "raw_pixels", "--datasets", "digits", "--dry-run", "--out", tmp_path / "results")
    code, out, _ = bench_command(*plan)
    assert code == 0 and f"warning: {why}; its metrics are left out" in out
    code, out, err = bench_command(*plan, "--evaluators", "broken")
    assert code == 2 and why in err
    assert any(
        line.split()[:2] == ["broken", "broken"] and why in line for line in bench_command("list", "evaluators")[1].splitlines()
    )


def test_the_commit_is_that_of_the_harness_or_none(tmp_path):
    """Copied into another repository, as an environment there would hold it, the harness has no commit."""
    for name in ("bench", "datasets", "methods"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    show = [sys.executable, "-c", "from bench.environment import git_state; print(git_state())"]
    assert subprocess.run(show, cwd=tmp_path, capture_output=True, text=True).stdout == "(None, None)\n"
    subprocess.run([*git, "add", "bench/environment.py"], check=True)
    assert "(None" not in subprocess.run(show, cwd=tmp_path, capture_output=True, text=True).stdout


def test_a_record_says_which_packages_add_its_method_and_its_evaluators(monkeypatch):
    assert scores.packages(evaluation.default(), Spec("digits"), "raw_pixels") == {}
    for known, name, version in ((registry(), "raw_pixels", "other 1.2"), (evaluation.registry(), "knn", "another 3")):
        monkeypatch.setitem(known.members, name, replace(known.members[name], package=version))
    found = scores.packages(evaluation.default(), Spec("digits"), "raw_pixels")
    assert found == {"packages": {"raw_pixels": "other 1.2", "knn": "another 3"}}
    assert scores.packages((), Spec("digits"), "raw_pixels") == {"packages": {"raw_pixels": "other 1.2"}}


def test_a_further_evaluation_keeps_its_outcomes_and_packages():
    right = torch.tensor([True, False])
    fields = scores.fields(Scores({"x": 0.5}, {"k": 1}, {"x": right}), ())
    before = Record(
        "t", "b", "1ep", "m", 0, "ok", environment={"device": "cpu", "packages": {"a": "a 1"}}, outcomes={"y": "gA=="}
    )
    both = scores.joined(before, replace(before, **fields, environment={"packages": {"c": "c 1"}}))
    assert both.outcomes == {"y": "gA==", "x": outcomes.pack(right.numpy())} and both.metrics == {"x": 0.5}
    assert both.environment == {"device": "cpu", "packages": {"a": "a 1", "c": "c 1"}}
