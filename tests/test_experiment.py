"""Experiments from files: what is read, what is refused, what the figure and the table say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.errors import UserError
from bench.reporting import plots, report
from bench.running import experiment as module
from bench.running.experiment import Experiment

EXPERIMENT = Experiment("Loss", "digits", [3, 10], "1ep", 3, "simclr", "oracle_elim", "ifnd_elim")
WRITTEN = 'title = "T"\ntrack = "digits"\nclasses = [3]\nbudget = "1ep"\nseeds = 3\nbase = "simclr"\noracle = "oracle_elim"\n'


def task(classes: int, method: str, seed: int, value: float, status: str = "ok", stale: bool = False):
    recipe = SimpleNamespace(hash=lambda: "now")
    record = SimpleNamespace(
        track=EXPERIMENT.spec(classes),
        method=method,
        seed=seed,
        status=status,
        recipe_hash="then" if stale else "now",
        metrics={"linear_top1": value},
    )
    return SimpleNamespace(cell=SimpleNamespace(recipe=recipe), existing=record)


def tasks():
    seeds = range(3)
    found = [task(3, "simclr", s, 0.5 + 0.01 * s) for s in seeds] + [task(3, "oracle_elim", s, 0.6 + 0.0101 * s) for s in seeds]
    found += [task(3, "ifnd_elim", s, 0.55 + 0.01 * s) for s in seeds]
    found += [task(10, "simclr", 0, 0.5), task(10, "oracle_elim", 0, 0.4, "failed"), task(10, "ifnd_elim", 0, 0.9, stale=True)]
    return found


def test_differences_are_paired_by_seed_and_failures_left_out():
    three, ten = module.summary(EXPERIMENT, tasks())
    assert three.loss.mean == pytest.approx(0.1001) and three.loss.half < 0.001
    assert three.regained.mean == pytest.approx(0.05)
    assert ten.base.n == 1 and ten.oracle is None and ten.loss is None and ten.regained is None


def test_the_figure_is_the_same_bytes_each_time(tmp_path):
    rows = module.summary(EXPERIMENT, tasks())
    figure = plots.Figure(module.shows(EXPERIMENT, rows), module.loss_against_classes)
    for suffix in ("svg", "png"):
        first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
        figure.save(first)
        figure.save(second)
        assert first.read_bytes() == second.read_bytes()
    assert "| 5.00 ± 0.00" in module.markdown("loss", EXPERIMENT, rows)


def test_the_experiment_that_comes_with_the_harness_is_read():
    found = module.load("class-count")
    assert found.classes == [5, 20, 50, 100] and found.seeds == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "no readable experiment"),
        (WRITTEN, "method"),
        (WRITTEN + 'method = "ifnd_elim"\nclases = [3]', "did you mean classes"),
        (WRITTEN.replace("[3]", "[1]") + 'method = "ifnd_elim"', "whole numbers from 2"),
        (WRITTEN.replace("= 3", '= "3"') + 'method = "ifnd_elim"', "seeds must be a int"),
        (WRITTEN + 'method = "ifnd_elim"\nmetric = "knn"', "unknown metric"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text, message):
    path = tmp_path / "e.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        module.load(str(path))


def test_an_unknown_experiment_offers_the_known_ones():
    with pytest.raises(UserError, match="class-count"):
        module.load("class-cuont")


def test_report_fills_the_sections_of_pages_in_docs(tmp_path):
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    (tmp_path / "results").mkdir()
    page.write_text("<!-- leaderboard results/digits -->\nbygone\n<!-- end leaderboard -->\n")
    files, problems = report.render(tmp_path / "results")
    assert not problems and page in files
    report.write(files)
    assert "bygone" not in page.read_text() and report.outdated(report.render(tmp_path / "results")[0]) == []
