"""What `report` makes of made-up records."""

import io
import json
import re
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from bench import records
from bench.events import Progress, Started
from bench.metrics import Metric
from bench.reporting import (
    curves,
    formats,
    leaderboard,
    markdown,
    page,
    published,
    report,
    row,
    spent,
    stale,
    tables,
    watch,
)
from bench.reporting.files import MADE_BY
from bench.reporting.row import row_of
from bench.running import cell
from bench.running.options import read_options
from bench.running.plan import plan
from bench.running.status_file import StatusSink
from tests import made_up
from tests.commands import exit_code
from tests.made_up import Contestant

PUBLISHED = """dataset,backbone,budget,method,metric,value,protocol,source
made_up_track,resnet18,10ep,alpha,linear_top1,70.9,online linear probe,somebody's README
made_up_track,resnet18,10ep,unknown_here,linear_top1,71.9,online linear probe,somebody's README
"""


def board(out):
    return leaderboard.build(made_up.read(out), published.read(out))[0]


def test_same_records_same_bytes(out):
    files = report.write(report.render(out, png=True)[0])
    first = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
    assert {path: path.read_bytes() for path in report.write(report.render(out, png=True)[0])} == first
    assert {path.suffix for path in first} == {".md", ".csv", ".tex", ".svg", ".png", ".html"}


def test_check_is_exact(out, capsys):
    assert exit_code("report", "--out", out, "--check") == 1
    assert exit_code("report", "--out", out) == 0
    assert exit_code("report", "--out", out, "--check") == 0
    path = next(out.glob("*/*/*/beta/seed1.json"))
    changed = json.loads(path.read_text())
    changed["metrics"]["linear_top1"] += 0.01
    path.write_text(json.dumps(changed))
    assert exit_code("report", "--out", out, "--check") == 1
    said = capsys.readouterr().out
    for name in ("leaderboard.md", "leaderboard.csv", "pairs.csv", "leaderboard.tex", "cost.svg", "index.html"):
        assert name in said


def test_a_missing_page_is_not_out_of_date_but_an_old_one_is(out):
    report.write(report.render(out)[0])
    (out / "index.html").unlink()
    assert report.outdated(report.render(out)[0]) == []
    (out / "index.html").write_text("old")
    assert report.outdated(report.render(out)[0]) == [out / "index.html"]


def test_ranks_have_intervals_and_the_top_group_is_bold(out):
    table = tables.table(board(out)).set_index("method")
    assert list(table["rank"][:3]) == ["1 (1–2)", "2 (1–2)", "3"]
    assert [text.startswith("**") for text in table["linear"][:3]] == [True, True, False]
    assert table["n"]["gamma"] == "5; 1 diverged"
    assert "±" in table["linear"]["supervised_made_up (uses labels)"] and "**" not in table["linear"].iloc[-1]


def test_collapse_and_own_recipes_stand_at_the_name(out):
    found = row_of([r for r in made_up.read(out) if r.contender == "alpha"])
    assert found.marks == []
    for collapsed, mark in (([0, 3], "2 of 5 collapsed"), (range(5), "collapsed")):
        for r in found.records:
            r.collapsed = r.seed in collapsed
        assert found.marks == [mark]
    found.records[0].recipe["own_recipe"] = "Somebody 2020, table 8"
    assert found.marks == ["own recipe", "collapsed"] and found.own_recipe == "Somebody 2020, table 8"


def test_seeds_of_two_precisions_are_marked(monkeypatch):
    made_up.install(monkeypatch)
    made = [made_up.record(made_up.FEW[0], seed) for seed in range(4)]
    made.append(made_up.record(made_up.FEW[0], 4, status="failed"))
    assert (row_of(made).precisions, row_of(made).marks) == ([], [])  # records from before it was recorded
    for precisions, marks in (
        (["fp32"] * 4 + ["bf16"], []),  # of a cell that failed it does not matter
        (["fp32", "bf16", "fp32", None, "fp32"], ["seeds in bf16 and fp32"]),
    ):
        for one, precision in zip(made, precisions, strict=True):
            one.environment["precision"] = precision
        found = row_of(made)
        assert found.marks == marks and found.precisions == sorted(set(precisions[:4]) - {None})


def test_computing_is_shown_and_unknown_in_old_records(out):
    table = tables.table(board(out)).set_index("method")
    assert list(table.loc["alpha", ["views/image", "GFLOP/image", "operations"]]) == ["2", "3.5", "290 TFLOP"]
    for path in out.glob("*/*/*/beta/seed*.json"):
        old = json.loads(path.read_text())
        old["cost"] = {key: value for key, value in old["cost"].items() if "flops" not in key and key != "views_per_image"}
        path.write_text(json.dumps(old))
    table = tables.table(board(out)).set_index("method")
    assert list(table.loc["beta", ["views/image", "GFLOP/image", "operations"]]) == ["–", "–", "–"]
    assert pd.read_csv(io.StringIO(report.render(out)[0][out / "leaderboard.csv"].content))["flops"].notna().sum() == 3


@pytest.mark.parametrize(
    ("flops", "text"),
    [(None, "–"), (0, "0"), (45e9, "0.045 TFLOP"), (3 * 10**15, "3 PFLOP"), (1234 * 10**12, "1.23 PFLOP"), (2e21, "2,000 EFLOP")],
)
def test_operations_are_written_with_three_digits(flops, text):
    assert formats.operations(flops) == text


def test_hours_are_summed_by_device(out):
    found = made_up.read(out)
    for record in found[:2]:
        record.environment = {"device": "a GPU", "driver": "12.8"}
        record.cost = {"train_seconds": 3600.0, "eval_seconds": 1800.0}
    hours = sum(r.cost.get("train_seconds", 0) + r.cost.get("eval_seconds", 0) for r in found[2:]) / 3600
    assert f"3 GPU-hours (a GPU), {hours:.3g} CPU-hours (a made-up machine)" in str(spent.total(found))
    assert str(spent.total([])) == "" and "CPU-hours" in report.render(out)[0][out / "leaderboard.md"].content


def test_nothing_is_claimed_of_two_seeds(out, tmp_path):
    made_up.write(tmp_path / "two", made_up.few(seeds=2))
    table = tables.table(board(tmp_path / "two"))
    assert set(table["rank"][:3]) == {"–"}
    assert not table.to_string().count("±") and not table.to_string().count("**")


def test_test_split_interval_only_where_the_split_is_small(out, monkeypatch):
    assert re.fullmatch(r"\d\d\.\d–\d\d\.\d", tables.table(board(out))["test split"][0])
    monkeypatch.setattr(row, "SMALL_TEST", made_up.TEST - 1)
    assert "test split" not in tables.table(board(out))


def test_published_numbers_stand_apart(out):
    assert "published" not in tables.table(board(out))
    (out / "published.csv").write_text(PUBLISHED)
    table = tables.table(board(out)).set_index("method")
    assert table["published"]["alpha"] == "70.9 [1]" and table["published"]["beta"] == "–"
    assert "unknown_here" not in table.index
    text = report.render(out)[0][out / "leaderboard.md"].content
    assert "[1] published, not ranked: linear_top1 at 10ep; online linear probe; somebody's README" in text


@pytest.mark.parametrize(
    ("content", "kept", "said"),
    [
        (PUBLISHED.replace("71.9", "about 72").encode(), 1, "published.csv, line 3: value is 'about 72'"),
        (PUBLISHED.replace("71.9", "nan").encode(), 1, "published.csv, line 3: value is 'nan'"),
        (PUBLISHED.replace(",somebody's README", "", 1).encode(), 1, "published.csv, line 2: must have the columns"),
        (PUBLISHED.replace(",", ";").encode(), 0, "published.csv, line 2: must have the columns"),
        (PUBLISHED.replace("somebody", "M\xfcller").encode("latin-1"), 0, "published.csv is no UTF-8 text"),
        (b"\xef\xbb\xbf" + PUBLISHED.replace("\n", "\r\n").encode(), 2, None),  # as Excel saves it as UTF-8
        (PUBLISHED.encode("utf-16"), 0, "published.csv is no UTF-8 text"),
        (b"", 0, None),
    ],
)
def test_what_is_wrong_with_published_numbers_is_named_and_left_out(out, content, kept, said):
    (out / "published.csv").write_bytes(content)
    lines = []
    assert len(published.read(out, lines.append)) == kept
    assert said is None if not lines else said in lines[0]
    files, problems = report.render(out)
    assert out / "leaderboard.md" in files and problems == lines


def test_share_of_detection_is_the_median_of_the_shares(monkeypatch):
    made_up.install(monkeypatch)
    records = [made_up.record(made_up.FEW[0], seed) for seed in range(3)]
    for one, seconds in zip(records, [(1.0, 10.0), (2.0, 40.0), (8.0, 16.0)], strict=True):
        one.cost["detect_seconds"], one.cost["train_seconds"] = seconds
    (board,) = leaderboard.build(records)
    assert tables.table(board)["detection"][0] == "10.0%"


def test_mean_curve_of_seeds_with_other_points(out):
    a, b = made_up.read(out)[:2]
    a.curve = [{"progress": 0.0, "x": 0.0}, {"progress": 1.0, "x": 1.0}]
    b.curve = [{"progress": 0.0, "x": 1.0}, {"progress": 0.5, "x": 1.0}, {"progress": 1.0, "x": 1.0}]
    assert curves.mean([a, b], "x") == ([0.0, 0.5, 1.0], [0.5, 0.75, 1.0])


def test_csv_has_every_number(out):
    report.write(report.render(out)[0])
    frame = pd.read_csv(out / "leaderboard.csv").set_index("method")
    assert frame["rank"]["alpha"] == 1 and frame["linear_top1"]["alpha"] == pytest.approx(0.66, abs=0.01)
    assert frame["not_ok"]["gamma"] == 1
    pairs = pd.read_csv(out / "pairs.csv")
    assert len(pairs) == 2 * 6  # metrics x pairs of four methods
    assert (pairs["p"].dropna() > 0).all() and (pairs["half"].dropna() > 0).all()
    assert pairs["difference"][0] == pytest.approx(frame["linear_top1"]["alpha"] - frame["linear_top1"]["beta"], abs=1e-4)


def test_latex_is_booktabs_and_escaped(out):
    text = report.render(out)[0][out / "leaderboard.tex"].content
    assert r"\toprule" in text and r"\bottomrule" in text and r"\textbf{" in text and r"$\pm$" in text
    assert r"supervised\_made\_up" in text and "±" not in text
    assert not re.search(r"(?<!\\)[_%&](?![^\n]*\\\\)", text.split(r"\midrule")[1].split(r"\bottomrule")[0].replace(" & ", ""))


def test_latex_says_which_rows_are_not_ranked_and_what_a_board_is_judged_on(out):
    for record in made_up.read(out):
        record.data["judged_on"] = "held-out images"
        made_up.write(out, [record])
    text = report.render(out)[0][out / "leaderboard.tex"].content
    assert r"\midrule" "\n" r"\multicolumn{" in text and r"}{l}{\emph{not ranked: anchors and oracles}} \\" in text
    assert "10ep, judged on held-out images: " in text
    for record in made_up.read(out):
        if record.role == "contestant":
            (out / record.track / record.backbone / record.budget / record.contender / f"seed{record.seed}.json").unlink()
    text = report.render(out)[0][out / "leaderboard.tex"].content
    assert r"\midrule" "\n" r"\midrule" not in text and text.count(r"\midrule") == 1


def test_a_title_that_another_column_has_is_told_apart(out):
    for record in made_up.read(out):
        record.metrics |= {"mine": 0.99, "yours": 0.5, "many": 0.1}
        columns = {"mine": Metric("mine", "linear"), "yours": Metric("yours", "linear"), "many": Metric("many", "n")}
        described = {key: vars(metric) for key, metric in columns.items()}
        record.evaluators = {"mine": {"version": 1, "columns": described | {"linear_top1": vars(Metric("linear_top1", "x"))}}}
        made_up.write(out, [record])
    (board,) = leaderboard.build(made_up.read(out))
    lines = tables.table(board).set_index("method")
    assert lines.loc["alpha", "linear"].startswith("**65.99") and lines.loc["alpha", "linear (mine)"] == "99.00 ± 0.00"
    assert lines.loc["alpha", "linear (yours)"] == "50.00 ± 0.00" and lines.loc["alpha", "n"] == "5"
    assert lines.loc["alpha", "n (many)"] == "10.00 ± 0.00"
    assert page.content([board])["boards"][0]["metrics"]["mine"]["title"] == "linear (mine)"


def test_latex_has_no_sign_that_needs_a_package(out):
    for record in made_up.read(out):
        record.metrics["x"] = 0.5
        record.evaluators = {"transfer": {"version": 1, "columns": {"x": vars(Metric("x", "linear → digits"))}}}
        made_up.write(out, [record])
    text = report.render(out)[0][out / "leaderboard.tex"].content
    assert r"linear $\to$ digits" in text and text.isascii()


def test_the_page_of_searches_goes_with_the_last_of_them(out):
    ours, files = out / "tuning.md", report.render(out)[0]
    assert ours not in files
    ours.write_text(f"# Tuning\n\n{MADE_BY}\n")
    assert report.outdated(report.render(out)[0])[-1:] == [ours]
    report.write(report.render(out)[0])
    assert not ours.exists()
    ours.write_text("# My own notes on tuning")
    report.write(report.render(out)[0])
    assert ours.exists()


class TestStale:
    def test_fresh_records_are_not(self, out):
        assert not any(stale.reasons(made_up.read(out)))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda r: setattr(r, "protocol", "v1"), "protocol v1, today v3"),
            (lambda r: setattr(r, "state_version", 0), "state version 0, today"),
            (lambda r: r.data.update(fingerprint="other"), "data other, most records of this track have"),
            (lambda r: r.recipe["training"].update(lr=9.0), r"recipe: training.lr 9.0, today 0\.06"),
            (lambda r: r.recipe["policy"].pop("gray"), "policy.gray absent, today"),
            (lambda r: r.recipe["config"].update(gone=1), "config.gone 1, today absent"),
            (lambda r: setattr(r, "contender", "renamed"), "cannot be run today: there is no method 'renamed'"),
        ],
    )
    def test_reasons(self, out, change, reason):
        found = made_up.read(out)
        change(found[0])
        first, *others = stale.reasons(found)
        assert re.search(reason, "; ".join(first))
        assert not any(others)

    def test_settings_that_the_user_gave_are_not_stale(self, out):
        record = made_up.read(out)[0]
        record.contender, record.recipe["training"]["lr"] = "alpha:lr=9", 9.0
        assert stale.reasons([record]) == [[]]

    def test_a_record_that_does_not_say_what_was_given(self, out):
        record = made_up.read(out)[0]
        record.given, record.recipe["training"]["lr"] = None, 9.0
        assert stale.reasons([record]) == [[]]
        record.recipe["policy"]["flip"] = 0.75
        assert "policy.flip 0.75" in stale.reasons([record])[0][0]

    def test_they_are_marked_kept_out_of_ranks_and_listed(self, out, capsys):
        old = made_up.record(Contestant("alpha", 0.99), seed=7)
        old.protocol = "v1"
        made_up.write(out, [old])
        table = tables.table(board(out))
        assert table["method"].iloc[-1] == "alpha (stale)" and table["rank"].iloc[-1] == ""
        assert table["linear"][0].startswith("**65.99")
        assert exit_code("list", "results", "--stale", "--out", out) == 0
        assert "alpha/seed7  protocol v1, today v3" in capsys.readouterr().out


def test_run_renews_what_is_stale(tmp_path):
    options = read_options(
        "simclr", "digits", "2ep", 2, out=tmp_path, runs=tmp_path, data_dir=tmp_path, device="cpu", on_existing="stale"
    )
    for task, protocol in zip(plan(options)[0], ("v1", "v3"), strict=True):
        assert task.due("stale")  # there is no record yet
        record = cell.blank(task.cell)
        record.status, record.protocol = "ok", protocol
        records.write(record, tmp_path / task.cell.record_path)
    old, fresh = plan(options)[0]
    assert old.stale == ("protocol v1, today v3",) and old.due("stale") and not old.due("skip")
    assert fresh.stale == () and not fresh.due("stale")


def test_watch_renews_on_change_and_ends_with_a_page_that_stands_still(out):
    renewed = []

    def renew(on):
        renewed.append(on)
        if len(renewed) == 1:
            made_up.write(out, [made_up.record(made_up.FEW[0], 9)])

    watch.watch(out, renew, rounds=4)
    assert renewed == [True, True, False]


def test_watch_renews_when_a_run_was_killed(out, monkeypatch):
    states, renewed = iter([{"cell": "one"}, {"cell": "one"}, None]), []
    monkeypatch.setattr(watch, "running", lambda folder: next(states))
    watch.watch(out, renewed.append, rounds=3)
    assert renewed == [True, True, False]


def test_a_run_in_progress_shows_on_the_page_that_follows_it(out):
    told = StatusSink(out)
    task = SimpleNamespace(cell="a made-up cell")
    told.on_event(task, Started())
    assert watch.running(out) is None
    told.on_event(task, Progress(0.25, step=3, seconds=1.0, loss=4.0))
    assert watch.running(out) == {"cell": "a made-up cell", "progress": 0.25, "loss": 4.0, "seconds": 1.0}
    assert report.render(out, following=True)[0][out / "index.html"] != report.render(out)[0][out / "index.html"]
    told.close()
    assert watch.running(out) is None


def test_watch_and_check_exclude_each_other(out, capsys):
    assert exit_code("report", "--out", out, "--watch", "--check") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_check_of_a_thousand_records_is_quick(tmp_path, monkeypatch):
    contestants = [Contestant(f"method_{i}", 0.5 + 0.01 * i, detects=i % 2 == 0) for i in range(10)]
    made_up.install(monkeypatch, contestants, [f"track_{i}" for i in range(4)])
    for track in range(4):
        made_up.write(tmp_path, (made_up.record(c, s, f"track_{track}", points=60) for c in contestants for s in range(25)))
    report.write(report.render(tmp_path)[0])
    begun = time.process_time()  # of one thread: what a machine without other work would take
    assert report.outdated(report.render(tmp_path)[0]) == []
    assert time.process_time() - begun < 10


def test_a_bar_in_a_name_ends_no_cell():
    assert tables.to_markdown(pd.DataFrame({"a|b": ["c|d"]})).splitlines()[::2] == ["| a\\|b   |", "| c\\|d   |"]


def test_contestants_that_do_not_beat_an_untrained_anchor_are_named(monkeypatch):
    untrained = [Contestant(name, accuracy, role="anchor") for name, accuracy in (("idle", 0.6), ("still", 0.3))]
    made_up.install(monkeypatch, [*made_up.FEW, *untrained])
    anchors = [made_up.record(c, seed) for c in untrained for seed in range(5)]
    for one in anchors:
        one.cost["flops"] = 0
    text = markdown.text(leaderboard.build([*made_up.few(), *anchors])[0], ["*"])
    assert "Not significantly better than idle: gamma (1 of 3).  \n" in text
    assert "Significantly better than still: all 3 contestants." in text and "better than supervised" not in text
