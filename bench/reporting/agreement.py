"""Does the ranking depend on the evaluator? Ranks of a board's contestants by each metric, and how far the metrics agree."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np
import pandas as pd

from .formats import number
from .leaderboard import Leaderboard

FEWEST = 3  # contestants; with fewer, a correlation of ranks says nothing


def means(board: Leaderboard) -> dict[str, dict[str, float]]:
    """By metric and contestant the mean over seeds, negated where less is better; for metrics that all contestants have.

    Empty below FEWEST contestants, or where there are only the protocol's metrics.
    """
    rows = [row for row in board.ranked if row.good] if board.columns else []
    signs = {key: -1 if _better(board, key) == "lower" else 1 for key in board.metrics if all(row.values[key] for row in rows)}
    return {
        key: {row.contender: sign * fmean(row.values[key].values()) for row in rows}
        for key, sign in signs.items()
        if len(rows) >= FEWEST
    }


def _better(board: Leaderboard, key: str) -> str:
    return board.columns[key].better if key in board.columns else "higher"


def tau(a: np.ndarray, b: np.ndarray) -> float | None:
    """Kendall's tau-b of two lists; None where one of them has one value only."""
    signs = [np.sign(np.subtract.outer(x, x)) for x in (a, b)]
    size = float(np.sqrt((signs[0] ** 2).sum() * (signs[1] ** 2).sum()))
    return float((signs[0] * signs[1]).sum()) / size if size else None


def correlations(board: Leaderboard) -> dict[tuple[str, str], float | None]:
    """Kendall's tau-b over the contestants for each pair of metrics, in the board's order of both."""
    found = {key: np.array(list(values.values())) for key, values in means(board).items()}
    return {(a, b): tau(found[a], found[b]) for a, b in combinations(found, 2)}


def ranks(board: Leaderboard) -> dict[str, dict[str, int]]:
    """By metric and contestant its rank by the mean; ties share the better rank. Rank 1 is the side that is better.

    Without metrics of which neither more nor less is better.
    """
    found = {key: of for key, of in means(board).items() if _better(board, key)}
    return {key: {name: 1 + sum(v > value for v in of.values()) for name, value in of.items()} for key, of in found.items()}


def rank_table(board: Leaderboard) -> pd.DataFrame | None:
    """Methods by metrics; None where `means` is empty."""
    found = ranks(board)
    if not found:
        return None
    names = next(iter(found.values()))
    return pd.DataFrame([{"method": n, **{board.metrics[key]: str(of[n]) for key, of in found.items()}} for n in names])


def correlation_table(board: Leaderboard) -> pd.DataFrame | None:
    """Metrics by metrics; None where `means` is empty."""
    found, names = correlations(board), list(means(board))
    if not names:
        return None

    def cell(a: str, b: str) -> str:
        return "" if a == b else number(found.get((a, b), found.get((b, a))), "{:.2f}")

    return pd.DataFrame([{"Kendall's τ": board.metrics[a], **{board.metrics[b]: cell(a, b) for b in names}} for a in names])
