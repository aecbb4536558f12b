"""Records that somebody has edited: each field with values that it cannot have is named in one line, or is harmless."""

import json
import random

import pytest

from bench import outcomes, records
from bench.cells import escaped
from bench.errors import UserError
from bench.evaluation.clustering import Clustering
from bench.evaluation.evaluator import description
from bench.running import cell
from tests import edited, made_up
from tests.edited import changed
from tests.small_cells import job


@pytest.fixture(scope="module")
def whole():
    with pytest.MonkeyPatch.context() as patch:
        made_up.install(patch)
        made = made_up.record(made_up.FEW[0], 0)
    right = [i < made.metrics["linear_top1"] * made_up.TEST for i in range(made_up.TEST)]
    made.metrics["cluster_nmi"] = 0.3
    made.evaluators = description([Clustering()])
    made.outcomes = {"linear_top1": outcomes.pack(right)}
    return json.loads(records.dumps(made))


def test_every_field_with_wrong_values(whole, tmp_path, monkeypatch):  # `tests/stress` tries all of them, and shows them
    made_up.install(monkeypatch)
    path = tmp_path / "made_up_track/resnet18/10ep/alpha/seed0.json"
    others = [made_up.record(made_up.FEW[1], 0)]
    made_up.write(tmp_path, others)
    path.parent.mkdir(parents=True)
    rng, named = random.Random(0), 0
    for place in edited.places(whole):
        for value in rng.sample(edited.WRONG, 5):
            path.write_text(json.dumps(changed(whole, place, value)))
            found, problems = records.read_all(tmp_path)
            assert len(found) + len(problems) == 2 and all(str(path) in line and "\n" not in line for line in problems)
            named += len(problems)
            try:
                if not problems and rng.random() < 0.05:
                    edited.shown(found)
            except Exception as error:
                raise AssertionError(f"{place} = {value!r}") from error
    assert named > 200


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("metrics", "linear_top1"), 66.0, "metrics.linear_top1 is 66, not a fraction from 0 to 1"),
        (("cost", "train_seconds"), "57 s", "cost.train_seconds is '57 s', not a number of at least 0"),
        (("cost", "steps"), 1.5, "cost.steps is 1.5, not a whole number of at least 0"),
        (("environment", "device"), None, "environment.device is None, not a text"),
        (("environment", "packages"), ["a"], "environment.packages is ['a'], not"),
        (("evaluators", "clustering", "columns", "cluster_nmi", "lowest"), None, "lowest is None, not a number"),
        (("cost", "flops"), 1e200, "cost.flops is 1e+200, not"),
        (("environment", "precision"), ["tf32"], "environment.precision is ['tf32'], not a text"),
        (("recipe", "own_recipe"), True, "recipe.own_recipe is True, not a text"),
        (("data", "test"), [2000], "data.test is [2000], not a whole number of at least 1"),
        (("given", "batch_size"), "auto", "given.batch_size is 'auto', not a whole number of at least 1"),
        (("given",), ["lr=1"], "given is ['lr=1'], not an object"),
        (("recipe", "training"), None, "recipe.training is None, not an object"),
        (("curve", 0, "progress"), 50, "curve[0].progress is 50, not a number from 0 to 1"),
        (("evaluators", "clustering"), None, "evaluators.clustering is None, not an object"),
        (("evaluators", "clustering", "version"), edited.GONE, "evaluators.clustering has no version"),
        (("evaluators", "clustering", "columns", "cluster_nmi", "title"), edited.GONE, "cluster_nmi has no title"),
        (("status",), "fine", "status is 'fine', not one of ok, failed"),
        (("track",), "other", "its path must say so"),
        (("budget",), "20ep", "its path must say so"),
    ],
)
def test_what_is_wrong_is_said(whole, tmp_path, place, value, said):
    path = tmp_path / "made_up_track/resnet18/10ep/alpha/seed0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(changed(whole, place, value)))
    found, (problem,) = records.read_all(tmp_path)
    assert found == [] and said in problem and str(path) in problem


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_json_is_named(whole, tmp_path, text):
    path = tmp_path / "seed0.json"
    path.write_text(json.dumps(changed(whole, ("cost", "extra"), 12345.5)).replace("12345.5", text))
    with pytest.raises(UserError, match=r"seed0\.json"):
        records.read(path)


def test_deep_nesting_is_named(whole, tmp_path):
    deep: list = []
    for _ in range(500):
        deep = [deep]
    path = tmp_path / "seed0.json"
    path.write_text(json.dumps(changed(whole, ("recipe", "config"), {"x": deep})))
    with pytest.raises(UserError, match="nested more than 20 levels"):
        records.read(path)


def test_every_command_goes_on_without_a_damaged_record(whole, tmp_path, monkeypatch, bench_command):
    out = tmp_path / "results"
    flags = ["--out", str(out), "--datasets", "digits:fraction=0.2", "--budget", "1ep", "--seeds", "1", "--device", "cpu"]

    made = cell.run(job("raw_pixels", tmp_path))
    path = out / escaped(made.track) / made.backbone / made.budget / made.method / "seed0.json"
    records.write(made, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": {"linear_top1": "97%"}}))
    bad = path.read_bytes()
    assert bench_command("run", "--methods", "random_init", *flags)[0] == 0
    for command in (["report"], ["list", "results"], ["list", "results", "--stale"]):
        code, _, err = bench_command(*command, "--out", out)
        assert code == 0 and err.count("warning:") == 1 and "metrics.linear_top1 is '97%', not a number" in err
    for command in (["compare", "raw_pixels", "random_init", "--out", out], ["run", "--methods", "raw_pixels", *flags]):
        code, _, err = bench_command(*command)
        assert code == 2 and err.startswith("error: ") and err.count("\n") == 1 and "metrics.linear_top1" in err
    assert path.read_bytes() == bad
