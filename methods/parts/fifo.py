"""Queues of the latest rows: buffers that a cursor walks around."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


@torch.no_grad()
def enqueue(cursor: Tensor, *rows: tuple[Tensor, Tensor]) -> None:
    """Replace the oldest rows of each buffer [K, ...] by new ones [n, ...], and move the ``cursor``, int64 scalar.

    A number that does not divide K wraps around; of more than K rows the last K stay.
    """
    size, count = len(rows[0][0]), len(rows[0][1])
    slots = (cursor + torch.arange(min(count, size), device=cursor.device)) % size
    for buffer, new in rows:
        buffer.index_copy_(0, slots, new[-size:].to(buffer.dtype))
    cursor.add_(len(slots)).remainder_(size)


class SupportSet(nn.Module):
    """The latest K embeddings, normalised, at first random ones; all of it is in the state."""

    rows: Tensor
    cursor: Tensor

    def __init__(self, size: int, dimension: int):
        super().__init__()
        self.register_buffer("rows", normalize(torch.randn(size, dimension), dim=1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    def nearest(self, queries: Tensor) -> Tensor:
        """The row of greatest cosine to each of ``queries`` [n, D], without gradient: [n, D]."""
        with torch.no_grad():
            return self.rows[(queries.to(self.rows.dtype) @ self.rows.T).argmax(1)]

    def add(self, rows: Tensor) -> None:
        """Let ``rows`` [n, D], normalised, replace the oldest."""
        enqueue(self.cursor, (self.rows, rows))
