"""Budgets, the limit of what a contender may spend: ``200ep``, ``50000steps``, ``10Mimg``, ``90s``, ``30min``, ``3PFLOP``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from .errors import UserError

SECONDS = {"s": 1, "min": 60, "h": 3600}
MULTIPLES = {"": 1} | {prefix: 1000 ** (i + 1) for i, prefix in enumerate("kMGTPE")}
PATTERN = re.compile(r"(\d+(?:\.\d+)?)([kMGTPE]?)(ep|steps|img|s|min|h|FLOP)")
WORKS = "what works: 200ep, 0.5ep, 50000steps, 10Mimg, 90s, 30min, 1.5h, 500TFLOP, 3PFLOP"
COUNTED = ("steps", "img", "FLOP")  # units of whole numbers, which may have a multiple such as k or M


@dataclass(frozen=True)
class Budget:
    """An amount of epochs, optimizer steps, images (not views), training time or operations; ``str()`` is canonical."""

    amount: float
    unit: str  # ep, steps, img, s, min, h or FLOP
    multiple: str = ""

    def __str__(self) -> str:
        digits = format(Decimal(repr(self.amount)).normalize(), "f")  # all digits, without an exponent
        return f"{digits}{self.multiple}{self.unit}"

    @property
    def seconds(self) -> float | None:
        """Training time allowed; None for a budget in another unit."""
        return self.amount * SECONDS[self.unit] if self.unit in SECONDS else None

    @property
    def flops(self) -> int | None:
        """Floating-point operations allowed, detection included; None for a budget in another unit."""
        return int(self.total) if self.unit == "FLOP" else None

    @property
    def total(self) -> Decimal:
        """The amount times its multiple, exactly."""
        return Decimal(repr(self.amount)) * MULTIPLES[self.multiple]

    def steps(self, steps_per_epoch: int, batch_size: int, step_flops: int = 0) -> int:
        """Optimizer steps allowed, at least one; -1 for a budget of time, or of operations if ``step_flops`` is 0 (unknown)."""
        if self.unit == "ep":
            return max(1, round(self.amount * steps_per_epoch))
        if self.unit == "img":
            return max(1, int(self.total) // batch_size)
        if self.unit == "FLOP":
            return max(1, int(self.total) // step_flops) if step_flops else -1
        return -1 if self.unit in SECONDS else int(self.total)


def parse_budget(text: str, flag: str = "--budget") -> Budget:
    """Parse a budget; `UserError` names the ``flag`` and lists valid examples."""
    match = PATTERN.fullmatch(text.strip())
    if not match:
        raise UserError(f"cannot read {flag} {text!r}; {WORKS}")
    amount, multiple, unit = float(match[1]), match[2], match[3]
    if multiple and unit not in COUNTED:
        raise UserError(f"cannot read {flag} {text!r}: {multiple} goes with steps, img and FLOP only; {WORKS}")
    budget = Budget(amount, unit, multiple)
    most = 1e27 if unit == "FLOP" else 1e15
    if not 1e-6 <= budget.total < most:
        raise UserError(f"{flag} {text!r} must be above zero, and below {most:g} {unit}; {WORKS}")
    if unit in COUNTED and budget.total != int(budget.total):
        raise UserError(f"{flag} {text!r} must be a whole number of {unit}; {WORKS}")
    return budget
