"""The throughput command measures what it says, and judges revisions as it promises."""

import json
import os
import random
import re
import signal
from types import SimpleNamespace

import pytest

from bench.methods import registry
from bench.throughput import against, detection, timing
from bench.throughput.scene import Scale


def test_rows_have_the_documented_fields(tmp_path, bench_command):
    target = tmp_path / "rows.json"
    arguments = ("--small", "--figures", "augment,kmeans", "--repeats", "1", "--peers", "--json", str(target))
    code, out, _ = bench_command("throughput", *arguments)
    content = json.loads(target.read_text())
    assert code == 0 and "augment_32px" in out
    assert set(content) == {"machine", "rows"}
    assert [row["figure"] for row in content["rows"]] == ["augment_32px", "kmeans"]
    for row in content["rows"]:
        assert set(row) == {"figure", "unit", "ours", "peer", "ratio", "low", "high"}
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"])


def test_the_readme_shows_what_was_measured(tmp_path, bench_command):
    row = {"figure": "x", "unit": "views/s", "ours": 1234.5, "peer": 100.0, "ratio": 12.3, "low": 12.0, "high": 13.0}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "cpu.json").write_text(json.dumps({"machine": "made up", "rows": [row]}))
    (tmp_path / "README.md").write_text("<!-- throughput results/cpu.json -->\n<!-- end throughput -->\n")
    assert bench_command("report", "--out", str(tmp_path / "results"))[0] == 0
    text = (tmp_path / "README.md").read_text()
    assert "1,234" in text and "12.30 (12.00 to 13.00)" in text and "made up" in text
    assert bench_command("report", "--check", "--out", str(tmp_path / "results"))[0] == 0


def test_a_track_and_a_method(bench_command):
    code, out, _ = bench_command("throughput", "--track", "digits", "--method", "moco", "--repeats", "1", "--device", "cpu")
    assert code == 0 and "input_only_digits_moco" in out and "end_to_end_digits_moco" in out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--method", "moco"), "--method goes with --track"),
        (("--device", "cpu"), "--device goes with --track"),
        (("--track", "digits", "--figures", "knn"), "--figures goes with --against or with neither --against nor --track"),
        (("--track", "digits", "--peers"), "--peers goes with neither --against nor --track"),
        (("--against", "HEAD", "--json", "x.json"), "--json goes with --track or with neither"),
        (("--json", "/dev/null/x.json"), "cannot write to /dev/null"),
    ],
)
def test_what_does_not_go_together_is_told_at_once(bench_command, arguments, why):
    code, out, err = bench_command("throughput", *arguments)
    assert code == 2 and out == "" and re.search(why, err) and err.count("\n") == 1


@pytest.mark.parametrize(("method", "why"), [("raw_pixels", "does not train"), ("mae", "needs a vision transformer")])
def test_a_method_that_the_track_does_not_suit(bench_command, method, why):
    code, _, err = bench_command("throughput", "--track", "digits", "--method", method, "--device", "cpu")
    assert code == 2 and err.count("\n") == 1 and why in err


def test_sigterm_leaves_no_worktree(monkeypatch):
    made = []
    monkeypatch.setattr(against, "_git", lambda folder, *arguments: made.append(arguments[:2]) or "c")
    monkeypatch.setattr(against, "_measure", lambda *a: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(against.Path, "exists", lambda path: True)
    with pytest.raises(SystemExit, match="143"):
        against.measure("HEAD", "knn", lambda text: None)
    assert made[-1] == ("worktree", "remove") and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("arguments", [("--figures", "augmnt"), ("--track", "digit"), ("--track", "digits", "--method", "x")])
def test_unknown_names(bench_command, arguments):
    code, _, err = bench_command("throughput", *arguments)
    assert code == 2 and err.count("\n") == 1


def test_measurements_are_interleaved():
    order = []
    row = timing.in_turn("x", "1/s", lambda: order.append("a") or 1.0, lambda: order.append("b") or 1.0, repeats=3)
    assert "".join(order) == "ab" + "ab" * 3
    assert row.low <= row.ratio <= row.high


def test_a_ratio_is_the_median_of_the_pairs_ratios():
    pairs = [(10.0, 5.0), (30.0, 10.0), (8.0, 8.0)]  # ratios 2, 3 and 1; the ratio of the medians is 10 / 8
    few = timing.from_pairs("x", "1/s", pairs)
    assert (few.ours, few.peer, few.ratio, few.low, few.high) == (10, 8, 2, 1, 3)
    more = timing.from_pairs("x", "1/s", [*pairs, (8.0, 2.0), (5.0, 1.0)])  # 1, 2, 3, 4, 5
    assert (more.ratio, more.low, more.high) == (3, 1.5, 4.5)


def noisy(level, seed):
    rng = random.Random(seed)
    return [level * rng.uniform(0.95, 1.05) for _ in range(against.ROUNDS)]


@pytest.mark.parametrize(("speed", "worse"), [(1.0, False), (0.9, False), (0.7, True), (1.5, False)])
def test_slower_counts_beyond_a_fifth(speed, worse):
    (verdict,) = against.verdicts({"x": noisy(100 * speed, 1)}, {"x": noisy(100, 2)})
    assert verdict.worse is worse


def test_noise_is_no_regression():
    here = [15, 20, 70, 75, 100, 105, 110]  # the median is slower by a quarter, and p is about 0.2
    (verdict,) = against.verdicts({"x": here}, {"x": noisy(100, 2)})
    assert verdict.ratio < 1 - against.SLOWER and not verdict.worse


def test_a_slower_revision_is_exit_code_1(monkeypatch, bench_command):
    slower = against.Verdict("augment", 50.0, 100.0, 0.5, 0.001, True)
    monkeypatch.setattr(against, "measure", lambda *_: [slower])
    code, out, _ = bench_command("throughput", "--against", "HEAD")
    assert code == 1 and "augment" in out and "0.5" in out


def test_an_unknown_revision_is_one_line(bench_command):
    code, _, err = bench_command("throughput", "--against", "no-such-revision", "--figures", "augment")
    assert code == 2 and err.count("\n") == 1 and "no-such-revision" in err


def test_a_rate_of_other_work_is_not_compared(tmp_path, monkeypatch):
    target = tmp_path / "rows.json"
    target.write_text(json.dumps({"rows": [{"figure": "linear", "unit": "evaluations of protocol v2/s", "ours": 2.0}]}))
    monkeypatch.setattr(against.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=0))
    assert against._measure(tmp_path, "linear", target) == {"linear, evaluations of protocol v2/s": 2.0}


def test_detection_is_gradual_where_half_of_the_budget_accepts_a_part(monkeypatch):
    monkeypatch.setattr(detection, "EPOCHS", 1)
    scale = Scale(images=400, classes=4, steps=1, batch=32)
    for name, gradual in (("ifnd_elim", True), ("pcl", False)):
        assert detection._measured(registry()[name], scale)[1] is gradual
