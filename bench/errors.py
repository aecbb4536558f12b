"""Errors that the user can correct, and how messages count."""

import signal


class UserError(Exception):
    """Bad input: one line that says what was wrong and what would be right. The exit code is 2."""


class StorageError(UserError):
    """A file cannot be written: a full or read-only disk, a quota. It ends the whole run, not only the cell."""


class BudgetSpent(Exception):
    """The budget ran out during something other than a step."""


class Diverged(Exception):
    """The loss or the features are no longer finite."""


class Stopped(Exception):
    """The run was asked to stop, by a signal or as by one; what was computed so far is in a checkpoint."""

    def __init__(self, number: int, by: str = ""):
        super().__init__(f"stopped by {by or signal.Signals(number).name}")
        self.number = number


def reason(error: BaseException) -> str:
    """The type of an exception from foreign code, and the first line of its message."""
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1: ``1 cell``, ``2 cells``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
