"""Search spaces of settings, where a method is tuned: notes of a field's annotation, at most two a method.

``temperature: Annotated[Positive, Log(0.05, 1)] = 0.2``
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Log(NamedTuple):
    """A search space from ``low`` to ``high``, evenly in the logarithm."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """The value that ``share`` in [0, 1) of the space lies below."""
        return self.low * (self.high / self.low) ** share

    @property
    def ends(self) -> tuple[float, ...]:
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, logarithmic"


class Linear(NamedTuple):
    """A search space evenly from ``low`` to ``high``."""

    low: float
    high: float

    def at(self, share: float) -> float:
        return self.low + (self.high - self.low) * share

    @property
    def ends(self) -> tuple[float, ...]:
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


class Choice(NamedTuple):
    """A search space of these values, all alike."""

    ends: tuple[Any, ...]

    def at(self, share: float) -> Any:
        return self.ends[int(share * len(self.ends))]

    def __str__(self) -> str:
        return " or ".join(map(str, self.ends))


Space = Log | Linear | Choice
