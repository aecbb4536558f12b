"""Equal tuning: the trials of a search, who wins it, and what the report says of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from itertools import product
from math import log
from statistics import fmean
from typing import Annotated

import pytest
from rich.console import Console

import bench
from bench import recorded, records, search
from bench.budget import parse_budget
from bench.contenders import parse_contender
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.errors import UserError
from bench.methods import Config, registry
from bench.methods.base import Choice, Log, Positive
from bench.recipe import resolve
from bench.reporting import leaderboard, page, report, searches, tuning
from bench.reporting.searches import Search, Trial
from bench.running import tune
from bench.settings import spaces
from tests import made_up, small_cells
from tests.small_cells import ROOT, environment, wait_for

SMALL = ("--datasets", "digits:classes=5,fraction=0.2", "--budget", "2steps", "--set", "batch_size=16", "--device", "cpu")


def recipe(method="simclr", **settings):
    return resolve(Spec("digits", dev=True), tracks()["digits"], 1000, registry()[method], parse_budget("1ep"), settings=settings)


def radical_inverse(number: int, base: int) -> float:
    """Of van der Corput: the digits of ``number`` mirrored at the point."""
    found, share = 0.0, 1.0
    while number:
        share /= base
        number, digit = divmod(number, base)
        found += share * digit
    return found


def test_a_trial_is_a_point_of_a_halton_sequence():
    found = search.trials(recipe(), 20)
    assert str(found[0]) == "simclr"
    for number, one in enumerate(found[1:], 1):
        lr, decay, temperature = (float(one.settings[key]) for key in ("lr", "weight_decay", "temperature"))
        shares = (log(lr / 0.006) / log(100), log(decay / 5e-5) / log(100), log(temperature / 0.05) / log(20))
        assert shares == pytest.approx([radical_inverse(number, base) for base in (2, 3, 5)], abs=2e-3)


def test_a_longer_search_goes_on_from_a_shorter_one():
    assert search.trials(recipe(), 16)[:5] == search.trials(recipe(), 5)


def test_what_the_contender_gives_is_not_searched():
    assert all(one.settings["lr"] == "0.1" for one in search.trials(recipe(lr="0.1"), 4))
    with pytest.raises(UserError, match="all that would be searched"):
        search.trials(recipe(lr="0.1", weight_decay="0.1", temperature="0.3"), 4)


def test_every_space_is_within_its_bounds_and_small():
    for method in registry().values():
        assert len(spaces(method.config_type)) <= search.OWN, method.name


def test_a_space_outside_the_bounds_is_refused():
    @dataclass(frozen=True)
    class Wrong(Config):
        sharpness: Annotated[Positive, Log(-1, 1)] = 0.5

    with pytest.raises(UserError, match=r"sharpness.*leaves its bounds"):
        spaces(Wrong)


def test_choices_are_taken_alike():
    taken = [Choice(("a", "b", "c")).at(i / 30) for i in range(30)]
    assert {value: taken.count(value) for value in "abc"} == {"a": 10, "b": 10, "c": 10}


def trial(name: str, accuracy: float, status: str = "ok", collapsed: bool = False) -> Trial:
    metrics = {"linear_top1": accuracy} if status == "ok" else {}
    return Trial(name, [records.Record("t", "b", "1ep", name, 1000, status, name, metrics=metrics, collapsed=collapsed)])


def test_failures_and_collapses_are_the_worst_and_of_equal_ones_the_first_wins():
    found = [trial("lost", 0, "diverged"), trial("good", 0.6), trial("alike", 0.6), trial("collapsed", 0.9, collapsed=True)]
    assert Search("t", "b", "1ep", "lost", found).winner == "good"


def test_the_expected_best_is_that_of_all_draws():
    values = [0.5, 0.9, 0.7, 0.7]
    found = Search("t", "b", "1ep", "x", [trial(str(i), value) for i, value in enumerate(values)]).expected_best()
    for drawn in (1, 2, 3, 4):
        assert found[drawn - 1] == pytest.approx(fmean(max(one) for one in product(values, repeat=drawn)))


def search_of(out):
    """The one search below ``out``, and what each of its cells found: metrics by contender and seed."""
    found, _ = records.read_all(out)
    (one,) = searches.of_boards(leaderboard.build(found))
    return one, {(record.track, record.contender, record.seed): record.metrics for record in found}


@pytest.mark.timeout(900)  # 20 s of computing by three processes in turn: long where other work has the cores
def test_a_search_is_the_same_after_a_kill_and_from_python(tmp_path, bench_command):
    final = dict(final_budget="2steps", final_seeds=1)
    at = dict(out=tmp_path / "undisturbed", sets=["batch_size=16"], device="cpu", quiet=True)
    (table,) = bench.tune("simclr", SMALL[1], 2, "60steps", **final, **at).to_dict("records")
    rest = ("--methods", "simclr", "--trials", "2", "--final-budget", "2steps", "--final-seeds", "1")
    command = ("tune", *SMALL, *rest, "--budget", "60steps", "--out")
    out = tmp_path / "killed"
    with (tmp_path / "log").open("w") as log:
        arguments = (sys.executable, "-m", "bench", *command, str(out))
        run = subprocess.Popen(arguments, cwd=ROOT, env=environment(), stdout=log, stderr=log, start_new_session=True)
    trial_1 = tmp_path / "killed-runs"
    wait_for(
        lambda: [path for path in trial_1.rglob("*.checkpoint") if "temperature" in str(path)] or run.poll() is not None, 600
    )
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert len(list(out.rglob("seed*.json"))) == 1, "trial 0 has a record, and trial 1 was killed in training"
    code, said, _ = bench_command(*command, str(out))
    assert code == 0 and "1 have a record already, 1 to run" in said
    assert search_of(out)[1] == search_of(tmp_path / "undisturbed")[1]
    found, undisturbed = search_of(out)[0], search_of(tmp_path / "undisturbed")[0]
    assert [one.contender for one in found.trials] == [one.contender for one in undisturbed.trials]
    assert found.winner == undisturbed.winner == table["winner"] and found.base == "simclr:batch_size=16" == table["method"]
    files, problems = report.render(out)
    board = files[out / "leaderboard.md"].content
    assert not problems and "tuned, T = 2" in board and "not opened" in files[out / "tuning.md"].content
    assert {record.seed for record in records.read_all(out)[0] if ":dev" not in record.track} == {0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--methods", "simclr", "--trials", "0"), "'--trials'"),
        (("--methods", "simclr", "--seeds", "1001"), "'--seeds'"),
        (("--methods", "random_init"), "random_init does not train"),
        (("--methods", "simclr", "--set", "temperature=0.2"), "temperature=0.2 is the default of simclr"),
        (("--methods", "byol:lr=0.1,weight_decay=0.1"), "only 4 different ones"),
        (("--methods", "simclr", "--datasets", "digits:dev"), "the tracks themselves"),
        (("--methods", "simclr,mae"), "mae needs a vision transformer"),
        (("--methods", "simclr", "--datasets", "digits:px=32,digits", "--backbone", "vit_tiny_patch16_224"), "try px=32"),
        (("--methods", "simclr", "--datasets", "digits:fraction=0.001"), "two train images of every class"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, bench_command, arguments, said):
    given = ("--datasets", "digits") if "--datasets" not in arguments else ()
    code, _, error = bench_command("tune", *given, *arguments, "--out", str(tmp_path / "results"))
    assert code == 2 and said in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_all_methods_are_those_that_suit_the_backbone(tmp_path, bench_command):
    flags = ("--datasets", "digits", "--trials", "2", "--budget", "1ep", "--dry-run", "--out", str(tmp_path))
    code, said, _ = bench_command("tune", "--methods", "all", *flags)
    assert code == 0 and "mae is left out: it needs a vision transformer" in said and "\nmae:" not in said


def test_no_winner_is_taken_from_fewer_trials_than_were_asked_for(tmp_path):
    names = recorded.trials(made_up.searched({"simclr": 0.5}, {})[0], "simclr", 3)
    made_up.write(tmp_path, made_up.searched(dict(zip(names, (0.5, 0.6, 0.7), strict=True)), {}))
    options = small_cells.options(tmp_path, "simclr", out=tmp_path)
    tuning_of = {number: tune.Tuning(options, number, options.budget, 1) for number in (3, 4)}
    known = searches.of_boards(leaderboard.build(records.read_all(tmp_path)[0]))
    found = tune._winner(tuning_of[3], recipe(), known, Console(quiet=True), False)
    assert found.settings == parse_contender(names[2]).settings
    with pytest.raises(UserError, match="3 of the 4 trials of simclr have a record"):
        tune._winner(tuning_of[4], recipe(), known, Console(quiet=True), False)


def test_a_method_without_a_space_is_said_aloud(tmp_path, bench_command):
    _, said, _ = bench_command("tune", *SMALL, "--methods", "simsiam", "--out", str(tmp_path / "results"), "--dry-run")
    assert "simsiam declares no settings of its own; lr 0.0" in said and not list(tmp_path.iterdir())
    given = ("--set", "temperature=0.3")
    _, also, _ = bench_command("tune", *SMALL, "--methods", "simclr", *given, "--out", str(tmp_path / "results"), "--dry-run")
    assert "temperature=0.3: lr 0.0" in also  # it declares one, which is given
    assert "8 cells: digits:dev," in said and "6 cells: digits:classes" in said and "trial 1 stands for the winner" in said


def test_the_list_shows_what_is_searched(bench_command):
    _, said, _ = bench_command("list", "methods", "simclr")
    assert "weight_decay: 1/10 to 10 times" in said and "temperature: 0.05 to 1, logarithmic" in said


def test_the_report_recognises_a_search_and_marks_its_winner_where_it_competes():
    names = [str(one) for one in search.trials(recipe(), 4)]
    names[1] = names[1].replace("lr=0.06,", "")  # the default, which a name does not bear
    won, other = names[2], names[1]
    trials = dict(zip(names, (0.5, 0.6, 0.9, 0.7), strict=True))
    boards = leaderboard.build(made_up.searched(trials, {"simclr": 0.8, won: 0.85, other: 0.8}))
    (found,) = searches.of_boards(boards)
    assert [one.contender for one in found.trials] == names and found.winner == won
    assert {row.contender: row.tuned for row in boards[0].rows} == {"simclr": 0, won: 4, other: 0}
    (group,) = tuning.of_leaderboards(boards)
    (line,) = tuning.finals(group, boards[0]).to_dict("records")
    assert line["method"] == "simclr" and line["gain"].startswith("+5.00") and line["tuned, T = 4"].startswith("85.00")
    (shown,) = page.content(boards)["tuning"]
    assert shown["finals"][0]["lines"] == [line] and shown["curves"][0]["percent"][0] == pytest.approx(67.5)
    (row,) = tuning.numbers([group]).to_dict("records")
    assert row["winner"] == won and (row["trials"], row["trials_default"], row["trials_best"], row["n"]) == (4, 0.5, 0.9, 3)
    assert row["gain"] == pytest.approx(0.05) and row["default"] == pytest.approx(0.8)
    documented = bench.tuned.__doc__.replace(", _", ", trials_")
    assert [name for name in row if name not in documented and not name.endswith("_half")] == []
    del trials[names[1]]  # a gap: what comes after it is no search
    assert searches.of_boards(leaderboard.build(made_up.searched(trials, {}))) == []
