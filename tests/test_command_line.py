"""Slips of the hand: what is said of each, and that nothing comes of it; tables for narrow terminals; folders merged."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from rich.progress import Progress

from bench.cli import mistakes
from bench.errors import UserError, counted
from bench.merge import merge
from bench.metrics import Metric
from bench.reporting import listing, terminal
from bench.reporting.tables import to_markdown
from bench.running import display
from bench.settings import nearest
from tests import made_up
from tests.small_cells import ROOT

SLIPS = [
    (("run", "--methods", "simclr,", "moco"), "'simclr, moco'"),
    (("run", "simclr"), "run --methods simclr"),
    (("run", "--budget", "1ep", "simclr"), "run --methods simclr"),
    (("run", "--seeds", "0,1,2"), "--seeds 3 runs seeds 0 to 2"),
    (("--dry-run", "run"), "run --dry-run"),
    (("run", "--datasets", "cifar10,classes=5"), "did you mean cifar10:classes=5?"),
    (("run", "--methods", "simclr,temperature=1"), "did you mean simclr:temperature=1?"),
    (("run", "--methods", "SimCLR"), "did you mean simclr?"),
    (("run", "--batch-size", "64", "--set", "batch_size=32"), "are the same: give one of them"),
    (("run", "--datasets", "digits", "--gpus", "all"), "--gpus all: torch sees no CUDA device here; --workers N is for CPUs"),
    (("list", "nonsense"), "'nonsense' is not one of"),
    (("run", "--datasets", "CIFAR-100"), "did you mean cifar100?"),
]


@pytest.mark.parametrize(("arguments", "hint"), SLIPS)
def test_a_slip_is_told_with_what_would_be_right(arguments, hint, tmp_path, bench_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = bench_command(*arguments)
    assert code == 2 and err.count("\n") == 1 and hint in err
    assert list(tmp_path.iterdir()) == []


def test_a_message_that_says_it_all_is_left_alone():
    assert mistakes.hint("Missing argument 'WHAT'.", ["list"]) == "Missing argument 'WHAT'."


def test_a_hint_is_no_list_of_a_thousand_names():
    assert nearest("zzz", [f"model{i}" for i in range(1000)]).endswith("model59 and 940 more")
    assert nearest("zzzzzz", ["pets_a", "pets-a"]) == "there are pets_a, pets-a"


def test_the_home_is_put_in_place_of_the_tilde(tmp_path, bench_command, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    assert bench_command("report", "--out=~/x")[0] == 0
    assert (tmp_path / "x" / "leaderboard.md").exists() and not (tmp_path / "~").exists()


def test_one_is_one():
    assert [counted(n, "cell") for n in (0, 1, 2)] == ["0 cells", "1 cell", "2 cells"]


def test_whoever_stops_reading_is_told_of():
    command = [sys.executable, "-m", "bench", "list", "methods"]
    code = (
        f"import subprocess; p = subprocess.Popen({command!r}, stdout=-1, stderr=-1); p.stdout.close(); print(p.stderr.read()); "
    )
    done = subprocess.run([sys.executable, "-c", code + "print(p.wait())"], cwd=ROOT, capture_output=True, text=True)
    assert "nobody reads the output" in done.stdout and done.stdout.rstrip().endswith("141")


def test_lists_take_commas_and_call_oracles_oracles(bench_command):
    code, out, _ = bench_command("list", "methods", "simclr,oracle*")
    assert code == 0 and out.count("\n") == 3 and out.count("oracle, uses labels") == 2


def test_a_narrow_terminal_gets_the_columns_that_matter():
    names = ["rank", "method", "linear", "linear top-5", "kNN (k = 20)", "n", "images/s", "train", "peak memory"]
    frame = pd.DataFrame([dict.fromkeys(names, "99.99 ± 0.12"), {"method": "*not ranked: anchors and oracles*"}]).fillna("")
    for width in (60, 80, 120):
        shown = terminal.fitting(frame, width)
        assert max(map(len, to_markdown(shown).splitlines())) <= width and {"rank", "method"} <= set(shown.columns)
    kept = {width: list(terminal.fitting(frame, width).columns) for width in (60, 80, 120)}
    assert "linear" in kept[60] and len(kept[60]) < len(kept[80]) < len(kept[120]) < len(names)
    assert list(terminal.fitting(frame, None).columns) == names


def test_lists_fit_a_terminal():
    rows = [
        ("alpha", "ready", "12 MiB", "/a/path"),
        ("beta", "missing", "", "get it with: python -m bench data get " + "beta " * 20),
    ]
    lines = listing.columns(rows, 60).splitlines()
    assert max(map(len, lines)) <= 60 and len(lines) > 3 and lines[0] == "alpha  ready    12 MiB  /a/path"
    assert all(line[:24].isspace() and line[24] != " " for line in lines[2:])
    assert listing.columns(rows).count("\n") == 1 and listing.columns(rows, 30).count("\n") == 1  # no room: the terminal wraps


def test_the_clock_of_the_bar_goes_on_after_a_cell():
    now = [0.0]
    bar = Progress(display.Clock(), get_time=lambda: now[0], console=Console(file=io.StringIO()))
    task = bar.add_task("x", total=1.0)
    shown = []
    for time, completed in ((10, 0.5), (43, 1.0), (70, 1.0), (130, 0.2)):
        now[0] = time
        bar.update(task, completed=completed)
        shown.append(str(display.Clock().render(bar.tasks[0])))
    assert shown == ["0:10", "0:43", "1:10", "2:10"]


def test_what_a_cell_found_is_one_short_line_on_a_terminal(monkeypatch):
    made_up.install(monkeypatch)
    record = made_up.record(made_up.FEW[0], 0)
    record.metrics |= {f"metric{i}": 0.5 for i in range(9)}
    columns = {f"metric{i}": vars(Metric(f"metric{i}", f"a long title {i}")) for i in range(9)}
    record.evaluators = {"mine": {"version": 1, "columns": columns}}
    for is_terminal, count in ((True, 0), (False, 9)):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80, color_system=None)
        display.Display(console, 1)._done("cell", record)
        assert console.file.getvalue().count("a long title") == count and "linear" in console.file.getvalue()


def test_results_are_listed_by_a_part_of_their_name(tmp_path, monkeypatch, bench_command):
    made_up.install(monkeypatch)
    made_up.write(tmp_path, made_up.few(2))
    code, said, _ = bench_command("list", "results", "alph*", "--out", str(tmp_path))
    assert code == 0 and said.count("\n") == 2 and "/alpha/seed1" in said
    assert bench_command("list", "results", "*/alpha/seed0", "--out", str(tmp_path))[1].count("\n") == 1


def test_a_long_name_gives_way_to_the_results():
    one = {"rank": "1", "method": "simclr:" + ",".join(f"setting{i}=0.123456" for i in range(20)), "linear": "99.99 ± 0.12"}
    frame = pd.DataFrame([one | {"kNN (k = 20)": "99.99 ± 0.12", "n": "3", "peak memory": "12 GiB"}, one | {"method": "moco"}])
    shown = terminal.fitting(frame.fillna(""), 80)
    assert list(shown.columns) == ["rank", "method", "linear", "kNN (k = 20)", "n"]
    assert len(to_markdown(shown).split("\n")[0]) == 80 and shown["method"][0].startswith("simclr:setting…")
    assert shown["method"][0].endswith("0.123456") and shown["method"][1] == "moco"
    assert list(terminal.fitting(frame.fillna(""), 20).columns) == ["rank", "method", "linear"]


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two folders of records, of one cell in common."""
    made_up.install(monkeypatch)
    made = made_up.few(2)
    made_up.write(tmp_path / "a", made[:3])
    made_up.write(tmp_path / "b", made[2:5])
    return tmp_path / "a", tmp_path / "b"


def test_folders_are_merged(two, tmp_path, bench_command):
    out = tmp_path / "c"
    assert merge(two, out) == (5, 1) and len(made_up.read(out)) == 5
    assert bench_command("merge", *map(str, two), "--out", str(out))[0] == 0  # again: nothing changes
    assert len(made_up.read(out)) == 5


def test_what_is_no_record_is_refused_before_anything_is_written(two, tmp_path):
    sorted(two[1].rglob("seed*.json"))[-1].write_text("{")
    with pytest.raises(UserError, match="no readable record"):
        merge(two, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_records_that_differ_are_refused_before_anything_is_written(two, tmp_path):
    common = next(p for p in two[0].rglob("seed*.json") if (two[1] / p.relative_to(two[0])).exists())
    content = json.loads(common.read_text())
    common.write_text(json.dumps(content | {"protocol": "other"}))
    with pytest.raises(UserError, match="different records of one cell"):
        merge(two, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no records"):
        merge([Path(tmp_path)], tmp_path / "c")
