"""Tables in the user's own documents, between markers."""

import pytest

from bench.reporting import report
from tests import made_up


def test_sections_of_markdown_files_beside_the_records(out):
    readme = out.parent / "README.md"
    readme.write_text("before\n<!-- leaderboard results/made_up_track -->\nwhat was here\n<!-- end leaderboard -->\nafter\n")
    report.write(report.render(out)[0])
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "what was here" not in text and "alpha" in text
    readme.write_text("<!-- leaderboard results/made_up_track/resnet18/9ep -->\n<!-- end leaderboard -->\n")
    report.write(report.render(out)[0])
    assert "*No records in results/made_up_track/resnet18/9ep yet.*" in readme.read_text()


@pytest.mark.parametrize("between", ["", "<!-- sweep results/made_up_track -->\n<!-- end sweep -->\nmy own words\n"])
def test_a_marker_without_an_end_takes_nothing_away(out, between):
    readme = out.parent / "README.md"
    whole = "<!-- leaderboard results/made_up_track -->\nformer\n<!-- end leaderboard -->\n"
    readme.write_text(f"<!-- leaderboard results/made_up_track/resnet18 -->\nmy own words\n{between}{whole}")
    files, problems = report.render(out)
    report.write(files)
    text = readme.read_text()
    assert text.startswith("<!-- leaderboard results/made_up_track/resnet18 -->\nmy own words\n") and text.count(
        "my own words"
    ) > bool(between)
    assert "former" not in text and "alpha" in text
    assert (
        len(problems) == 1 and "README.md: <!-- leaderboard results/made_up_track/resnet18 --> has no end marker" in problems[0]
    )


def test_the_legend_names_the_machines_of_its_own_cells(out):
    longer = [made_up.record(c, seed, budget="20ep") for c in made_up.FEW for seed in range(3)]
    for record in longer:
        record.environment["device"] = "another machine"
    made_up.write(out, longer)
    readme = out.parent / "README.md"
    readme.write_text("<!-- leaderboard results/made_up_track/resnet18/10ep -->\n<!-- end leaderboard -->\n")
    report.write(report.render(out)[0])
    assert "on a made-up machine;" in readme.read_text()
    assert "on a made-up machine and another machine;" in (out / "leaderboard.md").read_text()
