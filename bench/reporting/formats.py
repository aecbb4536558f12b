"""Numbers and times as tables, axes and the page write them."""

from __future__ import annotations

from typing import Any

NONE = "–"


def unit_of_time(seconds: float) -> tuple[str, float]:
    """The unit for a time of so many seconds, and its length in seconds."""
    return ("s", 1.0) if seconds < 120 else ("min", 60.0) if seconds < 7200 else ("h", 3600.0)


def duration(seconds: float | None) -> str:
    """A time with its unit; NONE where it is not known."""
    if seconds is None:
        return NONE
    unit, length = unit_of_time(seconds)
    return f"{seconds / length:.{0 if unit == 's' else 1}f} {unit}"


def number(value: float | None, form: str, unit: float = 1) -> str:
    """``value`` in so large units, as the format ``form`` writes it."""
    return NONE if value is None else form.format(value / unit)


def operations(flops: float | None) -> str:
    """Operations with the prefix that leaves one to three digits before the point, from TFLOP on."""
    if flops is None:
        return NONE
    unit, prefix = next(((10.0**power, p) for power, p in ((18, "E"), (15, "P")) if flops >= 10**power), (1e12, "T"))
    return f"{significant(flops, unit)} {prefix}FLOP" if flops else "0"


def significant(value: float | None, unit: float) -> str:
    """Three significant digits, without an exponent below a million."""
    return NONE if value is None else f"{float(f'{value / unit:.3g}'):,g}"


def rounded(value: Any, digits: int = 6) -> Any:
    """So many significant digits of a float, enough for figures and the page; any other value as it is."""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
