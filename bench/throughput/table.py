"""Measured figures as a Markdown table, from the JSON file of the `throughput` command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import UserError

LEGEND = "ratio: median of the pairs measured in turn, with its quartiles (extremes where there are fewer than four pairs)."


def markdown(path: Path) -> str:
    """The table and its machine; `UserError` where the file is not from the command."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        frame = pd.DataFrame([_line(row) for row in content["rows"]]).fillna("")
        table = frame.to_markdown(index=False, disable_numparse=True)
        return f"{table}\n\nMeasured on {content['machine']}; {LEGEND}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no file of the throughput command: {error}") from None


def _line(row: dict[str, Any]) -> dict[str, str]:
    spread = "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"
    return {
        "figure": row["figure"],
        "ours": _number(row["ours"]),
        "peer": _number(row["peer"]),
        "ratio": "" if row["ratio"] is None else f"{row['ratio']:.2f}{spread}",
        "unit": row["unit"],
    }


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
