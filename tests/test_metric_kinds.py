"""Metrics of which less is better, and metrics that are no fractions: ranks, tables, comparisons, claims and the page."""

import json

import pytest

from bench.evaluation.clustering import Clustering
from bench.evaluation.evaluator import Evaluator, description
from bench.experiment import Claim, Experiment
from bench.metrics import Metric, columns
from bench.reporting import agreement, leaderboard, page, stats, tables
from bench.reporting.verdicts import NOT_TESTED, REFUTED, SUPPORTED, findings
from tests import made_up

DISTANCE = {"alpha": 40.0, "beta": 50.0, "gamma": 60.0, "supervised_made_up": 30.0}


class Distances(Evaluator):
    """Two numbers of which less is better."""

    name = "distances"
    columns = (Metric("distance", "distance [px]", unit="px", better="lower"), Metric("error", "error", better="lower"))


@pytest.fixture
def made(monkeypatch):
    made_up.install(monkeypatch)
    found = [record for record in made_up.few() if record.status == "ok"]
    for record in found:
        record.metrics["distance"] = DISTANCE[record.method] + 0.1 * record.seed
        record.metrics["error"] = 1 - record.metrics["linear_top1"]
        record.evaluators = description([Distances()])
    return found


@pytest.fixture
def board(made):
    return leaderboard.build(made)[0]


@pytest.mark.parametrize("metric", ["distance", "error"])
def test_the_least_ranks_first(board, metric):
    standings = board.standings[metric]
    assert sorted(standings, key=lambda name: standings[name].rank)[2] == "gamma"
    assert standings["gamma"].best == 3 and standings["alpha"].top
    judged = board.judged(metric, "alpha", "gamma")
    assert judged.verdict == "better" and judged.pair.difference < 0 and judged.pair.improvement == 1
    assert judged.turned.verdict == "worse" and judged.turned.pair.improvement == 0


def test_tables_show_units_and_fractions_each_in_their_way(board):
    lines = tables.table(board).set_index("method")
    assert lines.loc["alpha", "distance [px]"].startswith("40.2 ± ")
    assert float(lines.loc["gamma", "error"].split()[0]) == pytest.approx(40, abs=1)
    assert tables.difference(board.judged("distance", "beta", "alpha").pair).startswith("+10 ± ")


def test_an_interval_ends_where_the_metric_does():
    found = stats.interval([-0.02, 0.0, 0.03])
    assert tables.score(found, Metric("share", "share")) == "0.33 (0.00–6.58)"
    ari = next(metric for metric in Clustering.columns if metric.key == "cluster_ari")
    assert tables.score(found, ari) == "0.33 ± 6.25" and ari.lowest == -0.5  # scikit-learn: bounded below by -0.5
    assert tables.score(stats.interval([-0.3, 0.0, 0.3]), ari) == "0.00 (-50.00–74.52)"
    old = {"key": "cluster_ari", "title": "ARI", "unit": "fraction", "better": "higher", "note": ""}
    assert columns(["cluster_ari"], [{"clustering": {"columns": {"cluster_ari": old}}}])["cluster_ari"].title == "ARI"


def test_differences_in_units_are_never_called_equal_within_a_point(made):
    for record in made:
        record.metrics["distance"] = 40 + 0.001 * (record.seed + len(record.method))
    board = leaderboard.build(made)[0]
    assert board.judged("distance", "alpha", "gamma").verdict == "not distinguishable"


def test_the_page_knows_which_side_is_better(board):
    (shown,) = page.content([board])["boards"]
    assert shown["metrics"]["distance"] == {"title": "distance [px]", "fraction": False, "better": "lower"}
    assert shown["metrics"]["linear_top1"] == {"title": "linear", "fraction": True, "better": "higher"}
    assert all("distance" not in row["test"] for row in shown["rows"])
    assert json.dumps(shown, allow_nan=False)


@pytest.mark.parametrize(("a", "b", "code", "verdict"), [("gamma", "alpha", 0, "better"), ("alpha", "gamma", 1, "worse")])
def test_compare_says_worse_where_b_has_more(made, tmp_path, bench_command, a, b, code, verdict):
    made_up.write(tmp_path, made)
    ended, said, _ = bench_command("compare", a, b, "--out", tmp_path, "--metric", "distance")
    (line,) = [line for line in said.splitlines() if "| distance [px]" in line]
    assert ended == code and f"| {verdict} " in line and f"{DISTANCE[b] - DISTANCE[a]:+.0f}" in line


@pytest.mark.parametrize(
    ("kind", "a", "b", "points", "verdict"),
    [
        ("better", "alpha", "beta", 1.0, SUPPORTED),
        ("better", "beta", "alpha", 1.0, REFUTED),
        ("equal_within", "alpha", "beta", 12.0, SUPPORTED),
        ("equal_within", "alpha", "beta", 2.0, REFUTED),
    ],
)
def test_claims_count_in_the_metric_s_unit(board, kind, a, b, points, verdict):
    claim = Claim(kind, a, b, metric="distance", points=points)
    experiment = Experiment("made-up", "made up", ["alpha", "beta"], [made_up.TRACK], ["10ep"], 5, [claim])
    (found,) = findings(experiment, [board])
    assert found.verdict == verdict


class Neither(Evaluator):
    """A number of which neither more nor less is better."""

    name = "neither"
    columns = (Metric("sizes", "sizes", unit="", better=""),)


def test_less_error_agrees_with_more_accuracy(board):
    assert agreement.correlations(board)["linear_top1", "error"] == 1
    assert agreement.ranks(board)["error"] == agreement.ranks(board)["linear_top1"]


def test_nothing_is_ranked_or_judged_by_a_metric_without_a_better_side(made, tmp_path, bench_command):
    for record in made:
        record.metrics["sizes"] = DISTANCE[record.method] + 0.1 * record.seed
        record.evaluators = description([Distances(), Neither()])
    board = leaderboard.build(made)[0]
    assert "sizes" not in agreement.ranks(board) and board.standings["sizes"] == {}
    assert board.judged("sizes", "alpha", "gamma").verdict == "differs"
    claim = Claim("better", "gamma", "alpha", metric="sizes")
    experiment = Experiment("e", "E", ["alpha", "gamma"], [made_up.TRACK], ["10ep"], 5, claims=[claim])
    (finding,) = findings(experiment, [board])
    assert finding.verdict == NOT_TESTED and "neither more nor less of sizes" in finding.why
    made_up.write(tmp_path, made)
    code, said, _ = bench_command("compare", "alpha", "gamma", "--out", tmp_path, "--metric", "sizes")
    assert code == 0 and "differs" in said


def test_the_page_shows_costs_as_the_tables_do(board):
    content = page.content([board])
    table = tables.table(board).set_index("method")
    titles = {cost["key"]: cost["title"] for cost in content["costs"] if cost["title"]}
    assert list(titles.values()) == [title for title in table.columns if title in titles.values()]
    for row, (_, line) in zip(content["boards"][0]["rows"][:3], table.iterrows(), strict=False):
        assert {titles[key]: text for key, (_, text) in row["shown"].items()} == {title: line[title] for title in titles.values()}
    (share,) = {row["shown"]["detect_seconds"][1] for row in content["boards"][0]["rows"] if row["method"] == "alpha"}
    assert share.endswith("%")
