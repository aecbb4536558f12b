"""What every contestant may spend, written ``200ep``, ``50000steps``, ``10Mimg``, ``90s``, ``30min`` or ``2h``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from .errors import UserError

SECONDS = {"s": 1, "min": 60, "h": 3600}
MULTIPLES = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)(ep|steps|img|s|min|h)")
WORKS = "what works: 200ep, 0.5ep, 50000steps, 10Mimg, 90s, 30min, 1.5h"


@dataclass(frozen=True)
class Budget:
    """An amount of epochs, optimizer steps, images (not views) or training time; ``str()`` is canonical."""

    amount: float
    unit: str  # ep, steps, img, s, min or h
    multiple: str = ""

    def __str__(self) -> str:
        digits = format(Decimal(repr(self.amount)).normalize(), "f")  # all of them, and never an exponent
        return f"{digits}{self.multiple}{self.unit}"

    @property
    def seconds(self) -> float | None:
        """Training time allowed, or None where the budget is not one of time."""
        return self.amount * SECONDS[self.unit] if self.unit in SECONDS else None

    def steps(self, steps_per_epoch: int, batch_size: int) -> int:
        """Optimizer steps allowed, at least one; a budget of time sets no limit, which is -1."""
        amount = self.amount * MULTIPLES[self.multiple]
        if self.unit == "ep":
            return max(1, round(amount * steps_per_epoch))
        if self.unit == "img":
            return max(1, int(amount) // batch_size)
        return -1 if self.unit in SECONDS else int(amount)


def parse_budget(text: str, flag: str = "--budget") -> Budget:
    """The budget that ``text`` writes; `UserError` names the ``flag`` and lists what works."""
    match = PATTERN.fullmatch(text.strip())
    if not match:
        raise UserError(f"cannot read {flag} {text!r}; {WORKS}")
    amount, multiple, unit = float(match[1]), match[2], match[3]
    total = amount * MULTIPLES[multiple]
    if multiple and unit not in ("steps", "img"):
        raise UserError(f"cannot read {flag} {text!r}: {multiple} goes with steps and img only; {WORKS}")
    if not 1e-6 <= total < 1e15:
        raise UserError(f"{flag} {text!r} must be above zero and finite; {WORKS}")
    if unit in ("steps", "img") and total != int(total):
        raise UserError(f"{flag} {text!r} must be a whole number of {unit}; {WORKS}")
    return Budget(amount, unit, multiple)
