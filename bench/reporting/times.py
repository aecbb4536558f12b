"""Times as tables and axes write them."""

from __future__ import annotations

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
