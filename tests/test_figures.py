"""The static figures of a report: what they show, their files, and their legends."""

import re

import pytest

from bench.reporting import leaderboard, plots, report, tables
from bench.reporting.files import plain
from bench.reporting.stats import interval
from tests import made_up
from tests.made_up import Contestant


@pytest.mark.parametrize(("seconds", "front"), [(20.0, {"fast", "good"}), (31.0, set())])
def test_pareto_front_is_drawn_from_steady_times_alone(seconds, front, monkeypatch):
    made = [Contestant("fast", 0.5, 0.0, 8000), Contestant("good", 0.7, 0.0, 4000), Contestant("slow", 0.6, 0.0, 2000)]
    made_up.install(monkeypatch, made)
    records = [made_up.record(contestant, seed) for contestant in made for seed in range(3)]
    next(r for r in records if r.method == "good").cost["train_seconds"] = seconds
    (board,) = leaderboard.build(records)
    assert board.front == front
    assert ("~" in tables.table(board).to_string()) == (not front)


def test_figures_know_what_they_show(out, tmp_path):
    figure = plots.of_board(leaderboard.build(made_up.read(out))[0])["curves"]
    figure.save(tmp_path / "a.svg")
    assert figure.is_drawn(tmp_path / "a.svg")
    other = plots.Figure(figure.shows | {"shown": figure.shows["shown"][:1]}, figure.draw)
    assert not other.is_drawn(tmp_path / "a.svg")


def test_figures_of_a_leaderboard_without_records_go(out):
    report.write(report.render(out)[0])
    old = out / "figures" / "gone-cost.svg"
    old.write_text(f"<svg>shows {'0' * 64}</svg>")
    old.with_suffix(".png").write_bytes(b"")
    of_the_user = out / "figures" / "mine-cost.svg"
    of_the_user.write_text("<svg/>")
    of_an_experiment = out / "figures" / "classes-of-cifar100.svg"
    of_an_experiment.write_text("<svg/>")
    assert report.outdated(report.render(out)[0]) == [old, old.with_suffix(".png")]
    report.write(report.render(out)[0])
    assert not old.exists() and not old.with_suffix(".png").exists()
    assert of_an_experiment.exists() and of_the_user.exists()


def test_a_legend_of_long_names_is_below_the_axes_and_not_cut_off(tmp_path):
    names = ["a", "b:" + ",".join(f"setting_{i}={i}" for i in range(12))]
    shown = [{"method": name, "progress": [0, 100], "percent": [1, 2], "low": [0, 1], "high": [2, 3]} for name in names]
    sizes = []
    for chosen in (shown[:1], shown):
        plots.Figure({"title": "t" * 200, "shown": chosen}, plots.learning_curves).save(tmp_path / "drawn.svg")
        sizes.append(float(re.search(r'height="([\d.]+)pt"', (tmp_path / "drawn.svg").read_text())[1]))
    assert sizes[1] > sizes[0] + 20


def test_what_has_no_measured_time_is_on_no_pareto_front(monkeypatch):
    made = [Contestant("timed", 0.6, 0.0), Contestant("untimed", 0.5, 0.0)]
    made_up.install(monkeypatch, made)
    records = [made_up.record(contestant, seed) for contestant in made for seed in range(3)]
    for record in records[3:]:
        record.cost["train_seconds"] = None
    (board,) = leaderboard.build(records)
    assert board.front == {"timed"}


def test_no_two_leaderboards_have_one_name_for_their_files():
    titles = ["a:dev/net/1ep", "a_dev/net/1ep", "a-dev/net/1ep", "a--dev/net/1ep", "ä/net/1ep", "ö/net/1ep", "a dev/net/1ep"]
    assert len(set(map(plain, titles[:-1]))) == len(titles) - 1  # a track's name has no space
    assert plain("cifar100:classes=10,draw=1/test_resnet/5ep") == "cifar100-classes=10-draw=1-test_resnet-5ep"


def test_a_png_that_is_there_is_kept_up_to_date(out):
    report.write(report.render(out, png=True)[0])
    made_up.write(out, [made_up.record(made_up.FEW[0], 9)])
    old = {path.suffix for path in report.outdated(report.render(out)[0])}
    assert ".png" in old
    report.write(report.render(out)[0])
    assert report.outdated(report.render(out, png=True)[0]) == []


def test_an_interval_ends_where_values_do():
    shown = plots.in_percent(interval([0.999, 0.93, 0.98]))
    assert shown["percent"] + shown["above"] == pytest.approx(100)
    assert shown["percent"] - shown["below"] == pytest.approx(88.11, abs=0.01)


def test_a_legend_names_a_few_dozen(tmp_path):
    shown = [{"method": f"m{i}", "progress": [0, 1], "percent": [1, 2], "low": [0, 1], "high": [2, 3]} for i in range(300)]
    plots.Figure({"title": "many", "shown": shown}, plots.learning_curves).save(tmp_path / "drawn.svg")
    assert float(re.search(r'height="([\d.]+)pt"', (tmp_path / "drawn.svg").read_text())[1]) < 500
