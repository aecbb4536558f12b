"""Summaries over tracks and the agreement of metrics, against naive loops and SciPy."""

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.metrics import Metric
from bench.records import Record
from bench.reporting import agreement, leaderboard, page, summary
from bench.reporting.stats import RESAMPLES
from bench.versions import PROTOCOL


def record(track, method, seed, value, **metrics):
    metrics = {"linear_top1": value, "knn_top1": 1 - value} | metrics
    column = Metric("rankme", "RankMe", unit="", better="")
    return Record(
        track=track, backbone="b", budget="1ep", method=method, contender=method, seed=seed, status="ok", protocol=PROTOCOL,
        metrics=metrics, evaluators={"spectrum": {"version": 1, "columns": {"rankme": vars(column)}}},
    )  # fmt: skip


@pytest.fixture
def boards(monkeypatch):
    monkeypatch.setattr("bench.reporting.stale._of_code", lambda record: [])
    rng = np.random.default_rng(0)
    level = {"x": 0.6, "y": 0.55, "z": 0.3}
    found = [
        record(track, method, seed, float(np.clip(level[method] + rng.normal(0, 0.05), 0, 1)), rankme=level[method] * 100)
        for track, method, seed in product(("t", "u", "v"), level, range(4))
    ]
    found.append(record("t", "only_here", 0, 0.9, rankme=1.0))
    return leaderboard.build(found)


def naive_rank(means):
    """The mean over tracks of SciPy's ranks, of means [methods, tracks]."""
    return np.mean([scipy_stats.rankdata(-column) for column in means.T], axis=0)


def test_numbers_over_tracks(boards):
    (found,) = summary.of_boards(boards)
    assert list(found.tracks) == ["t", "u", "v"] and sorted(found.samples) == ["x", "y", "z"] and found.seeds == 4
    table = {line.method: line for line in summary.numbers(found)}
    samples = found.samples
    means = np.array([[v.mean() for v in samples[name]] for name in table])
    assert [line.rank.value for line in table.values()] == pytest.approx(list(naive_rank(means)))
    # rliable: Mann and Whitney's U over the number of pairs, averaged over tasks
    by_hand = np.mean([scipy_stats.mannwhitneyu(a, b)[0] / 16 for a, b in zip(samples["y"], samples["x"], strict=True)])
    assert table["y"].improvement.value == pytest.approx(by_hand) and table["x"].improvement is None
    low, high = table["z"].improvement.bounds
    assert low == high == table["z"].improvement.value == 0  # never better, whatever is drawn


def test_the_bootstrap_is_a_naive_loops(boards):
    (found,) = summary.of_boards(boards)
    rng, names = np.random.default_rng(7), list(found.samples)
    means, ranks, better = [], [], []
    for _ in range(RESAMPLES):
        drawn = {n: [rng.choice(v, len(v)) for v in found.samples[n]] for n in names}
        of_track = np.array([[v.mean() for v in drawn[n]] for n in names])
        means.append(of_track.mean(1))
        ranks.append(naive_rank(of_track))
        better.append(np.mean([np.mean(a[:, None] > b) for a, b in zip(drawn["y"], drawn["x"], strict=True)]))
    table = {line.method: line for line in summary.numbers(found)}
    for i, name in enumerate(names):
        assert tuple(table[name].mean.bounds) == pytest.approx(np.quantile(means, [0.025, 0.975], axis=0)[:, i], abs=0.004)
        assert tuple(table[name].rank.bounds) == pytest.approx(np.quantile(ranks, [0.025, 0.975], axis=0)[:, i], abs=0.01)
    assert tuple(table["y"].improvement.bounds) == pytest.approx(np.quantile(better, [0.025, 0.975]), abs=0.05)


def test_ties_share_ranks_and_one_track_is_no_summary(boards):
    assert summary.mean_ranks(np.array([[0.5], [0.5], [0.1]])).tolist() == [1.5, 1.5, 3.0]
    assert summary.of_boards(boards[:1]) == [] and summary.markdown([]) == []


def test_few_seeds_have_no_intervals(monkeypatch):
    monkeypatch.setattr("bench.reporting.stale._of_code", lambda record: [])
    made = [record(t, m, 0, v) for t, m, v in (("t", "x", 0.5), ("t", "y", 0.4), ("u", "x", 0.5), ("u", "y", 0.6))]
    text = "\n".join(summary.markdown(summary.of_boards(leaderboard.build(made))))
    assert "Without intervals" in text and "| x        | 50.00         | 1.50" in text
    shown = page.content(leaderboard.build(made))
    assert shown["summaries"][0]["lines"][0]["mean rank"] == "1.50" and "Without" in shown["summaries"][0]["note"]
    assert shown["boards"][0]["agreement"]["metrics"] == []  # nothing to compare with the protocol's metrics


def test_metrics_agree_as_scipy_says(boards):
    board = boards[1]
    means = agreement.means(board)
    for (a, b), value in agreement.correlations(board).items():
        assert value == pytest.approx(scipy_stats.kendalltau(list(means[a].values()), list(means[b].values()))[0])
    assert agreement.correlations(board)["linear_top1", "knn_top1"] == -1
    assert agreement.tau(np.array([1, 1, 2, 3]), np.array([2, 1, 3, 3])) == pytest.approx(
        scipy_stats.kendalltau([1, 1, 2, 3], [2, 1, 3, 3])[0]
    )
    assert agreement.tau(np.ones(3), np.arange(3)) is None
    ranks = agreement.ranks(board)
    by_linear = scipy_stats.rankdata([-value for value in means["linear_top1"].values()])
    assert list(ranks["linear_top1"].values()) == by_linear.tolist() and ranks["knn_top1"]["z"] == 1
    assert "RankMe" not in agreement.rank_table(board)  # neither more nor less of it is better
    written = agreement.correlation_table(board).set_index("Kendall's τ")
    assert written["RankMe"]["linear"] == f"{agreement.correlations(board)['linear_top1', 'rankme']:.2f}"


def test_tracks_without_shared_contestants_hide_no_others(boards):
    alone = leaderboard.build([record("a", name, 0, 0.5, rankme=1.0) for name in ("x", "p", "q", "r", "s")])
    (found,) = summary.of_boards([*alone, *boards])
    assert list(found.tracks) == ["t", "u", "v"]
    others = leaderboard.build([record(track, name, 0, 0.5, rankme=1.0) for track in ("w", "z") for name in ("p", "q")])
    first, second = summary.of_boards([*boards, *others])
    assert list(first.tracks) == ["t", "u", "v"] and list(second.tracks) == ["w", "z"]
