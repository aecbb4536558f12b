"""The floating-point operations that a run has spent: on its steps, and on detections as the method reports them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

import torch
from torch import nn

from ..datasets.loader import Loader
from ..errors import BudgetSpent, UserError, reason
from ..methods import Method
from ..methods.parts.effort import reported_to
from . import compute
from .compute import Work

T = TypeVar("T")
UNKNOWN = {"detect": None, "dearest": 0}  # the state of a checkpoint without figures of detections


class Spending:
    """Counts the operations of ``method`` against ``limit``; None where the budget is in another unit.

    Operations that cannot be counted are None, or a `UserError` where there is a limit.
    """

    def __init__(self, method: Method, loader: Loader, limit: int | None, device: torch.device):
        self.method, self.loader, self.limit, self.device = method, loader, limit, device
        self.steps = 0
        self.detect: int | None = 0  # of all detections so far
        self.dearest = 0  # of one detection
        self.over = False  # whether a detection did not fit into the limit
        self._forward: dict[tuple[tuple[str, compute.Shape], ...], int | None] = {}

    @cached_property
    def work(self) -> Work | None:
        """The operations of a step."""
        views = [(self.loader.batch_size, *self._image(v.size)) for v in self.loader.views for _ in range(v.count)]
        return self._known(lambda: compute.of_step(self.method, views, self._image(self.loader.size)))

    def count(self) -> Work | None:
        """Count a step now, if that has not been done yet."""
        return self.work

    @property
    def total(self) -> int | None:
        """Operations of all steps and detections so far."""
        return None if self.work is None or self.detect is None else self.steps * self.work.step + self.detect

    @property
    def full(self) -> bool:
        """Whether a further step would exceed the limit; the first step is taken in any case."""
        if self.limit is None or self.work is None:
            return False
        return self.over or (self.steps > 0 and (self.total or 0) + self.work.step > self.limit)

    @property
    def progress(self) -> float:
        """Share of the limit that is spent, 1 once it is full."""
        return 1.0 if self.full else min(1.0, (self.total or 0) / (self.limit or 1))

    def fits(self) -> bool:
        """Whether the most expensive detection so far would still fit into the limit."""
        return self.limit is None or (self.total or 0) + self.dearest <= self.limit

    @contextlib.contextmanager
    def detecting(self) -> Iterator[None]:
        """Inside the block, operations that the method reports count as detection; `BudgetSpent` where they do not fit."""
        before = self.detect or 0
        with reported_to(self.add):
            yield
        self.dearest = max(self.dearest, (self.detect or 0) - before)

    def add(self, flops: int | None) -> None:
        """Add operations of a detection; None where they are not known."""
        if flops is None or self.detect is None:
            self.detect = None
            return
        if self.limit is not None and (self.total or 0) + flops > self.limit:
            self.over = True
            raise BudgetSpent
        self.detect += flops

    def embed(self, network: nn.Module) -> None:
        """Add the operations of embedding every train image by ``network``."""
        kind = compute.kind_of(network)
        if kind not in self._forward:
            image = self._image(self.loader.size)
            self._forward[kind] = self._known(lambda: compute.of_forward(network, image, self.device))
        each = self._forward[kind]
        self.add(None if each is None else each * len(self.loader.store))

    def _image(self, size: int) -> compute.Shape:
        return (self.loader.store.channels, size, size)

    def _known(self, count: Callable[[], T]) -> T | None:
        try:
            return count()
        except Exception as error:
            if self.limit is None:
                return None
            counted = f"the operations of {self.method.name} cannot be counted"
            raise UserError(f"{counted}, give another budget: {reason(error)}") from None

    def cost(self) -> dict[str, float | None]:
        """The entries of a record's cost."""
        work = self.work
        step = {"views_per_image": work and work.views, "flops_per_image": work and work.per_image}
        passes = {"forward_passes": work and work.forward_passes}
        return step | passes | {"detect_flops": self.detect, "flops": self.total}

    def state(self) -> dict:
        return {"detect": self.detect, "dearest": self.dearest}

    def restore(self, steps: int, state: dict) -> None:
        self.steps, self.detect, self.dearest = steps, state["detect"], state["dearest"]
