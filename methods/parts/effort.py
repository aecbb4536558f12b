"""Reports what a method computes outside its loss to its trainer, in floating-point operations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_hear: ContextVar[Callable[[int], None]] = ContextVar("hear", default=lambda flops: None)


def spend(flops: int) -> None:
    """Call before computing outside the loss; a multiply-add is two. The trainer may raise where no budget is left."""
    _hear.get()(flops)


@contextlib.contextmanager
def told_to(hear: Callable[[int], None]) -> Iterator[None]:
    """Inside, ``hear`` is called with what is spent."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)
