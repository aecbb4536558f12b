"""A method reports to its trainer the floating-point operations that it computes outside its loss."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_callback: ContextVar[Callable[[int], None]] = ContextVar("callback", default=lambda flops: None)


def spend(flops: int) -> None:
    """Call this before computing outside the loss; a multiply-add is two. The trainer may raise where no budget is left."""
    _callback.get()(flops)


@contextlib.contextmanager
def reported_to(callback: Callable[[int], None]) -> Iterator[None]:
    """Inside the block, every `spend` calls ``callback`` with its operations."""
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)
