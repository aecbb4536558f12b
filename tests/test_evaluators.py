"""Evaluators: one a file, found by the folder; a new one gets its column, also on records that were there before it."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
import torch

from bench import records
from bench.evaluation import default, registry
from bench.evaluation.evaluator import Evaluator, description, evaluate_all, lacking, merged
from bench.evaluation.few_labels import FewLabels
from bench.evaluation.frozen import Features, Frozen, Scores
from bench.evaluation.transfer import Transfer
from bench.metrics import METRICS, Metric
from bench.records import Record
from bench.reporting import leaderboard, listing
from bench.running import scores
from bench.running.cell import run
from bench.running.plan import plan
from tests import made_up
from tests.small_cells import ROOT, command, environment, options

SPREAD = '''
"""How far the features of the test images lie apart."""

from __future__ import annotations

from ..metrics import Metric
from .evaluator import Evaluator
from .frozen import Frozen


class Spread(Evaluator):
    """Mean standard deviation of a feature, and the share of features that vary at all."""

    name = "spread"
    version = 1
    columns = (
        Metric("spread", "spread", unit="", better="", note="spread: mean standard deviation of a feature. "),
        Metric("alive", "alive", better="higher"),
    )

    def evaluate(self, frozen: Frozen) -> dict[str, float]:
        deviation = frozen.test.values.std(0)
        return {"spread": float(deviation.mean()), "alive": float((deviation > 0).float().mean())}
'''


class Fixed(Evaluator):
    """Gives one number."""

    name, columns = "fixed", (Metric("fixed", "fixed", unit="", better=""),)

    def evaluate(self, frozen):
        return {"fixed": 2.5}


def scored(evaluator, value):
    """Scores of ``evaluator`` that are all ``value``, with a choice for each of its shares or datasets."""
    keys = [column.key for column in evaluator.columns]
    return Scores(dict.fromkeys(keys, value), {f"C@{key.partition('@')[2]}": value for key in keys})


def frozen():
    labels = torch.arange(40) % 4
    return Frozen(Features(torch.randn(40, 8), labels), Features(torch.randn(40, 8), labels), 4)


def test_the_protocol_comes_first_and_few_labels_only_where_asked_for():
    assert [evaluator.name for evaluator in default()][:2] == ["linear", "knn"]
    assert {"few_labels", "knn", "linear"} <= set(registry()) and "few_labels" not in [e.name for e in default()]


def test_wanted_and_lacking_is_one_mechanism():
    few = registry()["few_labels"]([0.01, 0.1])
    assert lacking(METRICS, {}, default()) == ()
    (left,) = lacking([*METRICS, "linear_top1@1%"], {}, [*default(), few])
    assert left.fractions == (0.1,)
    assert lacking({"fixed": 1.0}, {"fixed": {"version": 1}}, [Fixed()]) == ()
    (again,) = lacking({"fixed": 1.0}, {"fixed": {"version": 0}}, [Fixed()])
    assert again.name == "fixed"


@pytest.mark.parametrize(
    ("both", "one", "other"),
    [
        (Transfer(["digits", "shapes"]), Transfer(["digits"]), Transfer(["shapes"])),
        (FewLabels((0.01, 0.1)), FewLabels((0.01,)), FewLabels((0.1,))),
    ],
)
def test_what_an_older_version_found_does_not_pass_for_the_newer_one(both, one, other):
    """A record has both of an older version, and one of them is computed again: the other is lacking from then on."""
    before = Record("t", "b", "1ep", "m", 0, "ok", **scores.fields(scored(both, 0.1), [both]))
    before.metrics["linear_top1"] = 0.5
    before.evaluators[both.name]["version"] -= 1
    after = scores.joined(before, replace(before, environment={}, **scores.fields(scored(one, 0.2), [one])))
    assert after.metrics == {"linear_top1": 0.5, **scored(one, 0.2).metrics}
    assert after.evaluation == scored(one, 0.2).chosen and after.evaluators == description([one])
    assert lacking(after.metrics, after.evaluators, [one]) == ()
    assert [column.key for column in lacking(after.metrics, after.evaluators, [both])[0].columns] == [
        c.key for c in other.columns
    ]


def test_scores_come_together_in_one_order():
    found = evaluate_all(frozen(), [registry()["few_labels"]([0.5]), *default(), Fixed()])
    assert list(found.metrics)[:4] == [*METRICS] and list(found.metrics)[-1] == "linear_top5@50%"
    assert found.metrics["fixed"] == 2.5
    assert list(merged({"a@10%": 1, "b": 2}, {"c@1%": 3, "d": 4})) == ["b", "d", "c@1%", "a@10%"]


def test_columns_are_those_that_records_describe(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made = made_up.few()
    for record in made[:5]:
        record.metrics["fixed"] = 2.5
        record.evaluators = description([Fixed()])
    made_up.write(tmp_path, made)
    (board,) = leaderboard.build(made_up.read(tmp_path))
    assert list(board.metrics.items())[-1] == ("fixed", "fixed") and board.standings["fixed"] == {}


def test_they_are_listed_with_what_their_files_say():
    rows = {row[0]: row for row in listing.evaluators()}
    assert {"linear", "knn", "few_labels"} <= rows.keys()
    assert rows["knn"][1] == "version 2" and rows["knn"][2].startswith("Weighted k-nearest-neighbour")


def test_a_new_file_is_a_new_column_and_completes_old_records(tmp_path):
    for name in ("bench", "datasets"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    (tmp_path / "methods").symlink_to(ROOT / "methods")
    (task,), _ = plan(options(tmp_path, "raw_pixels"))
    before, path = run(task.job), tmp_path / "results" / task.cell.record_path
    records.write(before, path)
    (tmp_path / "bench" / "evaluation" / "spread.py").write_text(SPREAD)
    done = subprocess.run(
        command(tmp_path, "raw_pixels"), cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert done.returncode == 0 and "1 of the records lack metrics asked for" in done.stdout, done.stderr
    after = json.loads(path.read_text())
    assert after["metrics"].items() > before.metrics.items() and after["evaluators"]["spread"]["version"] == 1
    table = (tmp_path / "results" / "leaderboard.md").read_text()
    assert "| spread" in table and "mean standard deviation of a feature." in table
    assert f"| {after['metrics']['spread']:.4g} " in table and f"| {100 * after['metrics']['alive']:.2f} " in table


class WithoutNumber(Evaluator):
    """Divides by zero, as an evaluator of the user's may."""

    name = "without_number"
    columns = (Metric("x", "x"),)

    def evaluate(self, frozen: Frozen) -> dict[str, float]:
        return {"x": float("nan")}


def test_a_metric_that_is_no_number_is_refused_with_its_evaluator():
    features = Features(torch.randn(8, 3), torch.arange(8) % 2)
    with pytest.raises(ValueError, match="without_number gives nan as x; a metric must be finite"):
        evaluate_all(Frozen(features, features, 2), [WithoutNumber()])
