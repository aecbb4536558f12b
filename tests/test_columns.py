"""Which columns tables show: chosen once, kept for every later report, refused where they are none."""

import pytest

from bench.reporting import columns, report
from tests import made_up

SECTION = "<!-- leaderboard results/made_up_track -->\n<!-- end leaderboard -->\n"


@pytest.fixture
def out(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made_up.write(tmp_path / "results", made_up.few())
    (tmp_path / "README.md").write_text(SECTION)
    return tmp_path / "results"


def heads(out) -> list[list[str]]:
    """The columns of the tables that stand in leaderboard.md and in a document beside it."""
    lines = [next(line for line in path.read_text().splitlines() if "| method" in line)
             for path in (out / "leaderboard.md", out.parent / "README.md")]  # fmt: skip
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_choice_stays_until_it_is_ended(out, bench_command):
    assert bench_command("report", "--out", str(out), "--columns", "knn*,train")[0] == 0
    few = ["rank", "method", "linear", "kNN (k = 20)", "kNN (k = 200)", "n", "train"]
    assert heads(out) == [few, few]
    made_up.write(out, [made_up.record(made_up.FEW[0], 9)])
    report.write(report.render(out)[0])  # as `run` does when it ends
    assert heads(out) == [few, few] and "columns chosen for this table: knn*, train" in (out / "leaderboard.md").read_text()
    assert bench_command("report", "--out", str(out), "--check")[0] == 0
    assert bench_command("report", "--out", str(out), "--columns", "*")[0] == 0
    assert "energy" in heads(out)[0] and heads(out)[0] == heads(out)[1] and not (out / columns.FILE).exists()


def test_a_marker_has_columns_of_its_own_and_a_legend_of_these(out):
    document = out.parent / "README.md"
    document.write_text(SECTION.replace(" -->", " columns knn_top1,train -->", 1))
    files, problems = report.render(out)
    report.write(files)
    assert heads(out)[1] == ["rank", "method", "linear", "kNN (k = 20)", "n", "train"] and "energy" in heads(out)[0]
    text = document.read_text()
    assert problems == [] and text.startswith(SECTION[:20]) and "Costs are medians" in text and "GFLOP" not in text
    assert not report.outdated(report.render(out)[0])
    document.write_text(SECTION.replace(" -->", " columns liner -->", 1))
    assert ["did you mean linear" in problem for problem in report.render(out)[1]] == [True]


def test_a_column_that_is_none_is_refused_and_changes_nothing(out, bench_command):
    before = sorted(out.parent.rglob("*"))
    code, _, error = bench_command("report", "--out", str(out), "--columns", "liner")
    assert code == 2 and "did you mean linear" in error and error.count("\n") == 1
    assert sorted(out.parent.rglob("*")) == before and (out.parent / "README.md").read_text() == SECTION


def test_there_is_nothing_to_choose_without_records(tmp_path, bench_command):
    code, _, error = bench_command("report", "--out", str(tmp_path), "--columns", "linear")
    assert code == 2 and "no columns to choose from" in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("content", "said"), [(b"linear@1%\n", "no table has a column"), (b"\xff", "cannot be read")])
def test_a_kept_choice_that_fits_no_more_is_a_warning(out, content, said):
    (out / columns.FILE).write_bytes(content)
    files, problems = report.render(out)
    assert len(problems) == 1 and columns.FILE in problems[0] and said in problems[0]
    assert (out / columns.FILE) not in files
