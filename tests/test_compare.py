"""`compare A B`: tables, verdicts and exit codes."""

import io
import re
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from bench import outcomes
from bench.errors import UserError
from bench.reporting import compare, confounds, leaderboard, terminal
from tests import made_up
from tests.commands import exit_code

ALL = ("*", "*", "*")


@pytest.fixture
def out(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made_up.write(tmp_path / "before", made_up.few())
    return tmp_path / "before"


@pytest.fixture
def after(out, tmp_path):
    """A copy of the records, to be changed."""
    shutil.copytree(out, tmp_path / "after")
    return tmp_path / "after"


def change(folder, method, by, seeds=range(5)):
    for record in made_up.read(folder):
        if record.method == method and record.seed in seeds and record.status == "ok":
            record.metrics["linear_top1"] += by + 0.0001 * record.seed
            made_up.write(folder, [record])


def verdicts(found):
    return {(one.subject, one.metric): one.verdict for one in found}


def test_two_methods(out, capsys):
    found = compare.compare("alpha", "gamma", out, ALL)
    assert verdicts(found) == {("gamma against alpha", "linear_top1"): "worse", ("gamma against alpha", "knn_top1"): "worse"}
    assert found[0].judged.pair.difference == pytest.approx(-0.06, abs=0.01)
    assert exit_code("compare", "alpha", "gamma", "--out", out) == 1
    assert exit_code("compare", "gamma", "alpha", "--out", out) == 0
    assert exit_code("compare", "alpha", "beta", "--out", out) == 0
    assert "not distinguishable" in capsys.readouterr().out


def test_equal_folders_do_not_differ(out, after):
    found = compare.compare(str(out), str(after), out, ALL)
    assert set(verdicts(found).values()) <= {"not distinguishable", "equal within 1 point"}
    assert exit_code("compare", out, after) == 0


def test_a_change_for_the_worse_fails(out, after):
    change(after, "beta", -0.05)
    found = verdicts(compare.compare(str(out), str(after), out, ALL))
    assert found["beta", "linear_top1"] == "worse" and found["beta", "knn_top1"] not in ("worse", "better")
    assert exit_code("compare", out, after) == 1
    assert exit_code("compare", after, out) == 0


def test_a_method_that_fails_now_is_gone(out, after):
    for seed in range(5):
        made_up.write(after, [made_up.record(made_up.FEW[1], seed, status="failed")])
    assert verdicts(compare.compare(str(out), str(after), out, ALL))["beta", "linear_top1"] == "gone"
    assert exit_code("compare", out, after) == 1


def test_folders_of_other_data_are_not_paired_by_image(out, after, capsys):
    for folder in (out, after):
        for record in made_up.read(folder):
            right = [i < record.metrics.get("linear_top1", 0) * made_up.TEST for i in range(made_up.TEST)]
            made_up.write(folder, [replace(record, outcomes={"linear_top1": outcomes.pack(right)} if record.metrics else {})])
    exact = compare.compare(str(out), str(after), out, ALL, ["linear_top1"])
    for record in made_up.read(after):
        record.data["fingerprint"], record.protocol = "other", "v0"
        made_up.write(after, [record])
    apart = compare.compare(str(out), str(after), out, ALL, ["linear_top1"])
    assert all(b.judged.pair.half > a.judged.pair.half for a, b in zip(exact, apart, strict=True))
    assert {one.confounds for one in apart} == {"the data and the protocol"} and {one.confounds for one in exact} == {""}
    exit_code("compare", out, after)
    assert "they differ too in: the data and the protocol" in capsys.readouterr().out


def test_too_few_seeds(tmp_path, out):
    made_up.write(tmp_path / "few", made_up.few(seeds=2))
    found = compare.compare(str(out), str(tmp_path / "few"), out, ALL)
    assert set(verdicts(found).values()) == {"too few seeds"}
    assert not compare.is_worse(found)


def test_a_record_that_cannot_be_read_is_an_error(out, after):
    next(after.glob("*/*/*/*/seed0.json")).write_text("{")
    assert exit_code("compare", out, after) == 2


def test_filters_and_mistakes(out):
    assert compare.compare("alpha", "beta", out, ("made_*", "*", "10ep"))
    with pytest.raises(UserError, match="nothing to compare"):
        compare.compare("alpha", "beta", out, ("*", "*", "20ep"))
    with pytest.raises(UserError, match="'alhpa' is neither a folder nor a contender"):
        compare.compare("alhpa", "beta", out, ALL)
    with pytest.raises(UserError, match="A and B are the same contender, alpha"):
        compare.compare("alpha", "alpha", out, ALL)
    with pytest.raises(UserError, match="A and B are the same folder"):
        compare.compare(str(out), f"{out}/.", out, ALL)
    with pytest.raises(UserError, match="only one is a folder"):
        compare.compare(str(out), "beta", out, ALL)


def test_metrics_are_known_and_may_have_commas(out, after, capsys):
    for a, b in (("alpha", "beta"), (str(out), str(after))):
        with pytest.raises(UserError, match="no record here has 'linear_top'; did you mean linear_top5 or linear_top1"):
            compare.compare(a, b, out, ALL, ["linear_top"])
    spec = "transfer_linear_top1@digits:classes=5,images=100"
    for record in made_up.read(out):
        record.metrics |= {spec: record.metrics["linear_top1"]} if record.status == "ok" else {}
        made_up.write(out, [record])
    assert exit_code("compare", "alpha", "beta", "--out", out, "--metric", f"knn_top1, {spec}") == 0
    said = capsys.readouterr().out
    assert spec in said and "kNN (k = 20)" in said


def test_a_comparison_fits_a_terminal_of_80_columns(out, after):
    console = Console(force_terminal=True, width=80, file=io.StringIO(), color_system=None)
    terminal.show_comparisons(console, compare.compare("alpha", "gamma", out, ALL))
    terminal.show_comparisons(console, compare.compare(str(out), str(after), out, ALL))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80 and any("gamma" in line and "not distinguishable" in line for line in lines)
    assert any("kNN" in line and "worse" in line and "| 0.001" in line for line in lines)


def test_settings_that_differ_are_named(out):
    for record in made_up.read(out):
        if record.method == "beta":
            record.recipe["config"] = {"temperature": 0.2, "queue_size": 4096}
        if record.method == "alpha":
            record.recipe["config"] = {"temperature": 0.1}
        made_up.write(out, [record])
    rows = leaderboard.build(made_up.read(out))[0].rows
    chosen = [row for row in rows if row.contender in ("alpha", "beta")]
    assert confounds.differing(chosen) == {"temperature": {"0.1": ["alpha"], "0.2": ["beta"]}}
    assert "temperature" in confounds.sentence(chosen) and "queue_size" not in confounds.sentence(chosen)


def test_a_precision_that_differs_is_named_whether_it_was_chosen_or_automatic(monkeypatch):
    made_up.install(monkeypatch)
    records = [made_up.record(one, seed) for one in made_up.FEW[:2] for seed in range(2)]

    def said(*precisions):
        for record, precision in zip(records, precisions, strict=True):
            record.environment["precision"] = precision
        return confounds.sentence(leaderboard.build(records)[0].rows)

    assert said("bf16", "bf16", "bf16", "bf16") == ""
    assert said("bf16", "bf16", "fp32", "fp32") in (
        "precision bf16 (alpha) or fp32 (beta)",
        "precision fp32 (beta) or bf16 (alpha)",
    )
    assert "bf16 and fp32 (alpha)" in said("bf16", "fp32", "fp32", "fp32")
    records[0].recipe["training"]["precision"] = "bf16"  # chosen: what it came to is what counts
    assert said("bf16", "bf16", "bf16", "bf16") == ""


def test_what_differs_between_tracks_is_no_difference_of_methods(tmp_path, monkeypatch):
    names = ("made_up_track", "another_track")
    made_up.install(monkeypatch, names=names)
    made = [made_up.record(one, seed, name) for name in names for one in made_up.FEW[:2] for seed in range(3)]
    for record in made:
        record.recipe["training"]["batch_size"] = 128 if record.track == names[1] else 512
    made_up.write(tmp_path, made)
    assert {one.confounds for one in compare.compare("alpha", "beta", tmp_path, ALL)} == {""}


def test_specs_are_compared_however_they_are_spelled(tmp_path, monkeypatch, capsys):
    made_up.install(monkeypatch)
    made = made_up.few()
    for record in made:
        if record.method == "beta":
            record.method, record.contender = "alpha", "alpha:lr=0.5"
            record.recipe["method"], record.recipe["training"]["lr"] = "alpha", 0.5
    made_up.write(tmp_path, made)
    found = compare.compare("alpha:batch_size=512", "alpha:lr=0.50", tmp_path, ALL)
    assert {one.subject for one in found} == {"alpha:lr=0.5 against alpha"}
    assert exit_code("compare", "alpha", "alpha:lr=0.5", "--out", tmp_path) == 0
    assert re.search(r"they differ too in: lr [\d.]+ \(alpha\) or 0.5 \(alpha:lr=0.5\)", capsys.readouterr().out)
    with pytest.raises(UserError, match="nor a contender"):
        compare.compare("alpha", "alpha:lr=0.6", tmp_path, ALL)
