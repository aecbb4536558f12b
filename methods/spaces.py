"""Search spaces for tuning, declared in the annotation of a setting; at most two settings of a method have one.

``temperature: Annotated[Positive, Log(0.05, 1)] = 0.2``. ``at(share)`` maps [0, 1) to the space.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Log(NamedTuple):
    """The numbers from ``low`` to ``high``, uniform in the logarithm."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """The quantile ``share``, in [0, 1), of the space."""
        return self.low * (self.high / self.low) ** share

    @property
    def ends(self) -> tuple[float, ...]:
        return self.low, self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, logarithmic"


class Linear(NamedTuple):
    """The numbers from ``low`` to ``high``, uniform."""

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
    """A list of values, all equally likely."""

    ends: tuple[Any, ...]

    def at(self, share: float) -> Any:
        return self.ends[int(share * len(self.ends))]

    def __str__(self) -> str:
        return " or ".join(map(str, self.ends))


Space = Log | Linear | Choice
