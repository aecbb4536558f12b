"""Errors of datasets."""

from __future__ import annotations


class DataError(Exception):
    """A dataset that is missing, damaged or asked for wrongly; the message is one line for the user."""


class Interrupted(DataError):
    """A preparation was interrupted; the next one continues from the chunks that it finished."""
