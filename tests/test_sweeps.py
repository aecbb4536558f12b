"""Sweeps over one number and over two: found, tabulated, drawn."""

from __future__ import annotations

import pytest

from bench.reporting import leaderboard, page, report, sweep_plots, sweeps
from tests import made_up
from tests.made_up import Contestant


def variants(values: dict[str, tuple[dict[str, float], float]]):
    """Records of alpha with training settings, by contender: the settings and the accuracy."""
    made = []
    for contender, (settings, accuracy) in values.items():
        for seed in range(3):
            record = made_up.record(Contestant("alpha", accuracy, 0.002), seed)
            record.contender = contender
            record.recipe["training"] |= settings
            made.append(record)
    return made


LR = {f"alpha:lr={lr}": ({"lr": lr}, 0.5 + lr) for lr in (0.01, 0.1)} | {"alpha": ({}, 0.56)}
GRID = {
    f"alpha:lr={lr},sgd_momentum={m}": ({"lr": lr, "sgd_momentum": m}, 0.5 + lr * m)
    for lr in (0.01, 0.1)
    for m in (0.5, 0.8, 0.95)
}


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    made_up.install(monkeypatch, [Contestant("alpha")])


def test_one_number_gets_a_table_and_a_figure(tmp_path):
    (board,) = leaderboard.build(variants(LR))
    (sweep,) = sweeps.sweeps(board)
    assert sweep.key == "lr" and [value for value, _ in sweep.lines["alpha"]] == [0.01, 0.06, 0.1]  # 0.06 is the default
    assert sweeps.table(sweep)["lr"].tolist() == ["0.01", "0.06", "0.1"]
    made_up.write(tmp_path, variants(LR))
    files, _ = report.render(tmp_path)
    assert any("sweep-lr" in path.name for path in files) and "Sweep over lr" in files[tmp_path / "leaderboard.md"].content
    for figure in sweep_plots.of_board(board).values():
        figure.save(tmp_path / "a.svg")
        figure.save(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_two_values_are_no_sweep():
    (board,) = leaderboard.build(variants({name: LR[name] for name in ("alpha", "alpha:lr=0.1")}))
    assert sweeps.sweeps(board) == [] and sweeps.grids(board) == []


def test_two_numbers_get_a_heat_map_and_no_lines(tmp_path):
    (board,) = leaderboard.build(variants(GRID))
    (grid,) = sweeps.grids(board)
    assert grid.keys == ("lr", "sgd_momentum") and grid.values == ([0.01, 0.1], [0.5, 0.8, 0.95]) and sweeps.sweeps(board) == []
    assert sweeps.grid_table(grid).shape == (2, 4)
    (figure,) = sweep_plots.of_board(board).values()
    figure.save(tmp_path / "map.svg")
    assert page.content([board])["boards"][0]["sweeps"][0]["rows"][1][2] == "alpha:lr=0.1,sgd_momentum=0.95"


def test_a_grid_with_a_hole_is_none():
    (board,) = leaderboard.build(variants(dict(list(GRID.items())[:-1])))
    assert sweeps.grids(board) == []


def test_a_document_may_ask_for_the_sweeps_of_one_board(tmp_path):
    out = tmp_path / "results"
    made_up.write(out, variants(LR))
    page_of = tmp_path / "README.md"
    page_of.write_text(f"<!-- sweep results/{made_up.TRACK}/resnet18/10ep -->\n<!-- end sweep -->\n")
    files, _ = report.render(out)
    text = files[page_of].content
    assert "**Sweep over lr**" in text and "| 0.06" in text
    (image,) = [line for line in text.splitlines() if line.startswith("![")]
    assert tmp_path / image.partition("](")[2].rstrip(")") in files
