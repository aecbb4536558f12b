"""Experiments from files: what is read, what is refused, and what made-up records say of claims."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from bench import experiment as files
from bench.errors import UserError
from bench.reporting import experiments, leaderboard, paired, report, steadiness, verdicts
from bench.reporting.paired import Pair, Part, Sample
from bench.running import experiment as run_experiment
from tests import made_up
from tests.made_up import Contestant

TRACKS = [f"{made_up.TRACK}:classes={count}" for count in (2, 4, 8)]
WRITTEN = """
title = "T"
tracks = ["made_up_track:classes=2|4|8"]
budgets = ["10ep"]
seeds = 4
[contenders]
base = "beta"
oracle = "alpha"
"""


def claim(kind: str, **more: object) -> str:
    lines = [f"{key} = {value!r}" for key, value in ({"claim": kind, "a": "oracle", "b": "base"} | more).items()]
    return "\n[[claims]]\n" + "\n".join(lines) + "\n"


def judged(folder: Path, monkeypatch, gains: list[float], *claims: str, seeds: int = 4, spread: float = 0.002):
    """The findings on three tracks, where alpha is better than beta by so much on each."""
    made_up.install(monkeypatch, [Contestant("alpha"), Contestant("beta")])
    path = folder / "made.toml"
    path.write_text(WRITTEN + "".join(claims))
    made = []
    for track, gain in zip(TRACKS, gains, strict=True):
        for name, accuracy in (("alpha", 0.5 + gain), ("beta", 0.5)):
            for seed in range(seeds):
                record = made_up.record(Contestant(name, accuracy, spread), seed)
                record.track = record.recipe["track"] = track
                made.append(record)
    return verdicts.findings(files.load(path), leaderboard.build(made))


@pytest.mark.parametrize(
    ("gain", "kind", "more", "verdict"),
    [
        (0.05, "better", {}, "supported"),
        (-0.05, "better", {}, "refuted"),
        (0.0, "better", {}, "undecided"),
        (0.0, "equal_within", {"points": 8}, "supported"),
        (0.1, "equal_within", {"points": 2}, "refuted"),
        (0.02, "equal_within", {"points": 2}, "undecided"),
    ],
)
def test_a_claim_on_every_track(tmp_path, monkeypatch, gain, kind, more, verdict):
    found = judged(tmp_path, monkeypatch, [gain] * 3, claim(kind, **more))
    assert len(found) == 3 and verdicts.overall(found) == verdict
    assert all(one.pair.n == 4 for one in found)


@pytest.mark.parametrize(
    ("gains", "verdict"), [([0.0, 0.05, 0.1], "supported"), ([0.1, 0.05, 0.0], "refuted"), ([0.05] * 3, "undecided")]
)
def test_a_difference_that_grows_with_the_classes(tmp_path, monkeypatch, gains, verdict):
    (found,) = judged(tmp_path, monkeypatch, gains, claim("grows_with"))
    assert found.verdict == verdict
    assert found.pair.difference == pytest.approx((gains[2] - gains[0]) / 2, abs=0.004)  # by doubling


def sample(values: np.ndarray, images: int = 1000) -> Sample:
    return Sample(dict(enumerate(values)), images=images)


def test_steadiness_is_the_f_test_of_the_standard_deviations():
    rng = np.random.default_rng(3)
    a, b = 0.5 + rng.normal(0, 0.01, 6), 0.5 + rng.normal(0, 0.03, 6)
    found = steadiness.compare(sample(a), sample(b))
    ratio = a.var(ddof=1) / b.var(ddof=1)
    assert found.p == pytest.approx(2 * stats.f.cdf(ratio, 5, 5))
    low, high = (ratio / stats.f.ppf(q, 5, 5) for q in (0.975, 0.025))  # Snedecor and Cochran: of the ratio of the variances
    assert str(found) == f"{ratio**0.5:.2f} times ({low**0.5:.2f} to {high**0.5:.2f})"
    assert steadiness.compare(sample(b), sample(a)).p == pytest.approx(found.p)


def test_seeds_without_spread_are_no_proof_of_steadiness():
    same = steadiness.compare(sample(np.full(3, 0.5)), sample(np.full(3, 0.5)))
    assert same.difference == 0 and same.p == pytest.approx(1) and same.seeds_that_decide(0.05) is None
    assert steadiness.compare(sample(np.full(3, 0.5)), sample(np.array([0.5, 0.501, 0.499]))).p == pytest.approx(
        1
    )  # one image of 1000
    assert steadiness.compare(sample(np.array([0.5])), sample(np.array([0.5]))) is None


def test_the_seeds_that_decide_a_ratio_show_it_four_times_in_five():
    needed = steadiness.Steadiness(np.log(2), 3).seeds_that_decide(0.05)
    draws = np.random.default_rng(0).normal(size=(2, 4000, needed)) * np.array([1, 2])[:, None, None]
    a, b = draws.var(axis=2, ddof=1)
    assert 0.77 < np.mean(b / a > stats.f.ppf(0.975, needed - 1, needed - 1)) < 0.83


def test_a_claim_of_steadiness_has_its_verdict(tmp_path, monkeypatch):
    found = judged(tmp_path, monkeypatch, [0.0] * 3, claim("steadier"))
    assert len(found) == 3 and verdicts.overall(found) == "undecided"
    assert "times (" in experiments.claims_table(experiments.Assessed(None, found, []))["estimate"][0]


def test_tracks_are_written_out_with_all_their_options(tmp_path):
    path = tmp_path / "made.toml"
    path.write_text(WRITTEN.replace("made_up_track:classes=2|4|8", "cifar100:dev,classes=10|20,draw=1|2"))
    expected = [f"cifar100:dev,classes={classes},draw={draw}" for classes in (10, 20) for draw in (1, 2)]
    assert list(files.load(path).tracks) == expected


@pytest.mark.parametrize("name", files.known())
def test_the_experiments_that_are_shipped_can_be_read(name):
    found = files.find(name)
    assert found.about and found.claims and all(one.says for one in found.claims)


def test_one_track_where_it_fails_refutes_a_claim_on_all(tmp_path, monkeypatch):
    found = judged(tmp_path, monkeypatch, [0.05, 0.05, -0.05], claim("better"))
    assert [one.verdict for one in found] == ["supported", "supported", "refuted"] and verdicts.overall(found) == "refuted"
    found = judged(tmp_path, monkeypatch, [0.05, 0.05, -0.05], claim("better", on="*classes=2"))
    assert [one.where for one in found] == ["made_up_track:classes=2, 10ep"] and verdicts.overall(found) == "supported"


def test_what_leaves_a_claim_open_is_told(tmp_path, monkeypatch):
    few = judged(tmp_path, monkeypatch, [0.05] * 3, claim("better"), seeds=2)
    assert verdicts.overall(few) == "not tested" and all(one.p is None and one.pair.n == 2 for one in few)
    wide = judged(tmp_path, monkeypatch, [0.004] * 3, claim("better"), spread=0.01)
    assert all(one.verdict == "undecided" and (one.seeds is None or one.seeds > 4) for one in wide)


def test_a_metric_that_no_record_has_is_told(tmp_path, monkeypatch):
    for kind in ("better", "grows_with"):
        found = judged(tmp_path, monkeypatch, [0.05] * 3, claim(kind, metric="linear_top"))
        assert {one.why for one in found} == {"no record has the metric linear_top"}


def holm_by_hand(ps: list[float]) -> list[float]:
    least, adjusted = 0.0, dict[int, float]()
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return [adjusted[place] for place in range(len(ps))]


def test_a_contender_that_is_written_in_two_ways_counts_once(tmp_path, monkeypatch):
    alias = 'again = "beta:lr=0.06"\n'  # the track's own learning rate
    alone, beside = (
        judged_with(tmp_path, monkeypatch, written, claim("better"), claim("steadier")) for written in (WRITTEN, WRITTEN + alias)
    )
    assert [one.pair.half for one in alone[:3]] == [one.pair.half for one in beside[:3]]
    same = judged_with(tmp_path, monkeypatch, WRITTEN + alias, claim("better", a="again"), claim("grows_with", a="again"))
    assert {one.why for one in same} == {"both are one contender"}


def judged_with(folder, monkeypatch, written, *claims):
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "WRITTEN", written)
        return judged(folder, patch, [0.01, 0.02, 0.03], *claims)


def test_what_is_listed_twice_counts_once_and_a_place_may_be_written_in_any_order(tmp_path):
    path = tmp_path / "e.toml"
    twice = WRITTEN.replace('["10ep"]', '["10ep", "10ep"]').replace("classes=2|4|8", "draw=1,classes=2|4|4")
    path.write_text(twice + claim("better", on="made_up_track:draw=1,classes=4"))
    found = files.load(path)
    assert found.budgets == ["10ep"] and len(found.tracks) == 2 and found.claims[0].on == found.tracks[1]


def test_the_tests_of_an_experiment_are_one_family(tmp_path, monkeypatch):
    gains = [0.02, 0.01, 0.0]
    alone = [judged(tmp_path, monkeypatch, gains, claim("better", on=f"*classes={count}"))[0].p for count in (2, 4, 8)]
    many = [one.p for one in judged(tmp_path, monkeypatch, gains, claim("better"))]
    assert many == pytest.approx(holm_by_hand(alone))


def test_the_slope_is_that_of_a_regression_with_its_standard_error():
    """Against scipy: over seeds, the slopes of single regressions and Student's interval of their mean."""
    generator = np.random.default_rng(0)
    places, gains = [2.0, 4.0, 8.0], generator.normal([0.0, 0.02, 0.05], 0.01, (5, 3))
    sides = [(Sample(dict(enumerate(gains[:, i]))), Sample(dict.fromkeys(range(5), 0.0))) for i in range(3)]
    slopes = [stats.linregress(np.log2(places), line).slope for line in gains]
    found = verdicts.slope(places, sides)
    assert found.difference == pytest.approx(np.mean(slopes))
    low, high = stats.t.interval(0.95, 4, np.mean(slopes), stats.sem(slopes))
    assert found.half == pytest.approx((high - low) / 2)


def test_so_many_seeds_would_decide():
    pair = Pair(0.02, 4, parts=(Part(0.02**2 / 4, 3),))
    shows = [n for n in range(4, 40) if (stats.t.ppf(0.975, n - 1) + stats.norm.ppf(0.8)) * 0.02 / n**0.5 <= 0.02]
    assert verdicts.seeds_that_decide(pair, 0.05) == shows[0]
    images = replace(pair, parts=(*pair.parts, Part(0.02**2, 999)))
    assert verdicts.seeds_that_decide(images, 0.05) is None  # no number of seeds narrows what the test images leave open


def test_stale_records_test_nothing(tmp_path, monkeypatch):
    made_up.install(monkeypatch, [Contestant("alpha"), Contestant("beta")])
    path = tmp_path / "made.toml"
    path.write_text(WRITTEN.replace(":classes=2|4|8", "") + claim("better"))
    made = [made_up.record(Contestant(name), seed) for name in ("alpha", "beta") for seed in range(3)]
    for record in made:
        record.protocol = "v0"
    (found,) = verdicts.findings(files.load(path), leaderboard.build(made))
    assert found.verdict == verdicts.overall([found]) == "not tested" and "stale" in found.why


def test_the_report_has_page_figure_and_verdicts_and_checks_them(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    out = tmp_path / "results"
    made_up.install(monkeypatch, [Contestant("alpha"), Contestant("beta")])
    (tmp_path / "experiments" / "made_up.toml").write_text(WRITTEN + claim("grows_with", says="it grows") + claim("better"))
    (tmp_path / "experiments" / "broken.toml").write_text("title = ")
    for track, gain in zip(TRACKS, (0.0, 0.05, 0.1), strict=True):
        for name, accuracy in (("alpha", 0.5 + gain), ("beta", 0.5)):
            for seed in range(4):
                record = made_up.record(Contestant(name, accuracy, 0.002), seed)
                record.track = record.recipe["track"] = track
                made_up.write(out, [record])
    files_, problems = report.render(out)
    assert len(problems) == 1 and "broken.toml is no readable experiment" in problems[0]
    text = files_[out / "made-up.md"].content
    assert "it grows: `grows_with(classes, oracle - base)` | **supported**" in text.replace("  ", " ").replace("  ", " ")
    report.write(files_)
    assert report.outdated(report.render(out)[0]) == [] and (out / "figures" / "made-up.svg").exists()
    (out / "made-up.md").write_text("edited")
    assert report.outdated(report.render(out)[0]) == [out / "made-up.md"]


def test_the_experiment_that_comes_with_the_harness_is_read():
    found = files.find("classes-of-cifar100")
    assert len(found.contenders) == 3 and len(found.tracks) == 7 and found.seeds == 3
    assert "classes-of-cifar100" in files.known() and {one.claim for one in found.claims} == {"better", "grows_with"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "no readable experiment"),
        (WRITTEN.replace("seeds = 4", ""), "needs seeds"),
        (WRITTEN.replace("seeds", "sedes"), "did you mean seeds"),
        (WRITTEN.replace("= 4", '= "4"'), "seeds must be a whole number"),
        (WRITTEN.replace("= 4", "= 1001"), "seeds must be a whole number from 1 to 1000"),
        (WRITTEN.replace("10ep", "10 epochs"), "what works"),
        (WRITTEN.replace("classes=2|", "classes=1|"), "at least 2"),
        (WRITTEN + claim("best"), "did you mean better"),
        (WRITTEN + claim("better", a="orcale"), "did you mean oracle"),
        (WRITTEN + claim("grows_with", key="seeds"), "cannot grow with"),
        (WRITTEN + claim("equal_within", points=0), "points of a claim"),
        (WRITTEN + claim("better", b="oracle"), "compares alpha with itself"),
        (WRITTEN + claim("better", on="shapes"), "is on 'shapes', which is none of the tracks"),
        ("claims = 3\n" + WRITTEN, "claims must be a list"),
        (WRITTEN.replace('"alpha"', '"ifnd_*"'), r"'ifnd_\*' stands for several methods"),
        (WRITTEN.replace('"alpha"', '"simclr:lr=1|2"'), "makes several, and a name can have one"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text, message):
    path = tmp_path / "e.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        files.load(path)
    assert "\n" not in str(error.value)


def test_an_unknown_experiment_offers_the_known_ones():
    with pytest.raises(UserError, match="classes-of-cifar100"):
        files.find("classes-of-cifar10")


def test_equal_difference_is_nothing_to_a_family():
    assert paired.compare(Sample({0: 0.5, 1: 0.5, 2: 0.5}), Sample({0: 0.5, 1: 0.5, 2: 0.5})).p == 1.0


def test_report_fills_the_sections_of_pages_in_docs(tmp_path):
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    (tmp_path / "results").mkdir()
    page.write_text("<!-- leaderboard results/digits -->\nbygone\n<!-- end leaderboard -->\n")
    files_, problems = report.render(tmp_path / "results")
    assert not problems and page in files_
    report.write(files_)
    assert "bygone" not in page.read_text() and report.outdated(report.render(tmp_path / "results")[0]) == []


def of_two_backbones(monkeypatch, budgets=("10ep",)):
    """Records on three tracks, of the tracks' default backbone and of another one."""
    made_up.install(monkeypatch, [Contestant("alpha"), Contestant("beta")])
    made = []
    for backbone, track, budget, name, seed in product(("resnet18", "other"), TRACKS, budgets, ("alpha", "beta"), range(3)):
        record = made_up.record(Contestant(name), seed)
        record.track = record.recipe["track"] = track
        record.backbone, record.budget = backbone, budget
        record.recipe |= {"backbone": backbone, "budget": budget}
        made.append(record)
    return leaderboard.build(made)


def test_an_experiment_without_a_backbone_is_about_the_tracks_own(tmp_path, monkeypatch):
    (tmp_path / "e.toml").write_text(WRITTEN + claim("grows_with"))
    found = verdicts.boards_of(files.load(tmp_path / "e.toml"), of_two_backbones(monkeypatch))
    assert [(board.track, board.backbone) for board in found] == [(track, "resnet18") for track in TRACKS]


def test_a_figure_shows_one_key_and_one_budget_on_the_tracks_of_its_claims(tmp_path, monkeypatch):
    text = WRITTEN.replace('["10ep"]', '["10ep", "20ep"]') + claim("grows_with", on="*[24]", metric="knn_top1")
    (tmp_path / "e.toml").write_text(text)
    one, boards = files.load(tmp_path / "e.toml"), of_two_backbones(monkeypatch, ("10ep", "20ep"))
    judged = experiments.Assessed(one, verdicts.findings(one, boards), verdicts.boards_of(one, boards))
    drawn = experiments.figures(judged)
    assert list(drawn) == ["e", "e-2"] and [figure.shows["title"] for figure in drawn.values()] == ["T, 10ep", "T, 20ep"]
    assert {figure.shows["difference"] for figure in drawn.values()} == {"kNN (k = 20), difference in points"}
    assert [figure.shows["lines"][0]["value"] for figure in drawn.values()] == [[2, 4], [2, 4]]


@pytest.mark.parametrize(("among", "same"), [("", True), ('wild = "gamma"\n', False)], ids=["beside it", "in it"])
def test_a_verdict_does_not_depend_on_what_else_ran_on_its_tracks(tmp_path, monkeypatch, among, same):
    made_up.install(monkeypatch)
    (tmp_path / "e.toml").write_text(WRITTEN + among + claim("better", on="*classes=2"))
    made = [
        made_up.record(Contestant(name, 0.5 + 0.02 * (name == "alpha")), seed) for name in ("alpha", "beta") for seed in range(4)
    ]
    wild = [made_up.record(Contestant("gamma", 0.4, 0.1), seed) for seed in range(4)]
    for record in made + wild:
        record.track = record.recipe["track"] = TRACKS[0]
    alone, beside = (
        verdicts.findings(files.load(tmp_path / "e.toml"), leaderboard.build(found))[0] for found in (made, made + wild)
    )
    assert (alone.pair.half == beside.pair.half) is same and (alone.p == beside.p) is same


def test_a_file_from_anywhere_gets_its_verdicts(tmp_path, monkeypatch, capsys):
    """Also where a shipped experiment has its name."""
    made_up.install(monkeypatch, [Contestant("alpha"), Contestant("beta")])
    path, out = tmp_path / "ifnd_on_cifar100.toml", tmp_path / "there" / "results"
    path.write_text(WRITTEN + claim("better", on="*classes=2"))
    for seed in range(4):
        for name, accuracy in (("alpha", 0.6), ("beta", 0.5)):
            record = made_up.record(Contestant(name, accuracy), seed)
            record.track = record.recipe["track"] = TRACKS[0]
            made_up.write(out, [record])
    run_experiment.show(files.find(str(path)), out, Console(width=200))
    said = capsys.readouterr().out
    assert "supported" in said and "has the table" not in said
    (out.parent / "experiments").mkdir()
    path.rename(out.parent / "experiments" / "mine.toml")
    run_experiment.show(files.find("mine", out.parent), out, Console(width=200))
    assert "mine.md has the table" in capsys.readouterr().out.replace("\n", " ")
