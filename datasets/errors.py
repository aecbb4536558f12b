"""What can be wrong with a dataset."""

from __future__ import annotations


class DataError(Exception):
    """A dataset that is missing, damaged or asked for wrongly; the message is one line for the user."""


class Interrupted(DataError):
    """A preparation that was interrupted; the next one goes on from what it has finished."""
