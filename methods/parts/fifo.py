"""Queues of the latest rows: ring buffers with a cursor."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


@torch.no_grad()
def enqueue(cursor: Tensor, *rows: tuple[Tensor, Tensor]) -> None:
    """Replace the oldest rows of each buffer [K, ...] by new ones [n, ...], and move the ``cursor``, int64 scalar.

    Rows past the end of the buffer continue at its start; of more than K new rows only the last K are kept.
    """
    size, count = len(rows[0][0]), len(rows[0][1])
    slots = (cursor + torch.arange(min(count, size), device=cursor.device)) % size
    for buffer, new in rows:
        buffer.index_copy_(0, slots, new[-size:].to(buffer.dtype))
    cursor.add_(len(slots)).remainder_(size)


class SupportSet(nn.Module):
    """The latest K embeddings, normalised; it starts with random ones, and is part of the method's state."""

    rows: Tensor
    cursor: Tensor

    def __init__(self, size: int, dimension: int):
        super().__init__()
        self.register_buffer("rows", normalize(torch.randn(size, dimension), dim=1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))

    def nearest(self, queries: Tensor) -> Tensor:
        """For each of ``queries`` [n, D] the row of largest cosine, without gradient: [n, D]."""
        with torch.no_grad():
            return self.rows[(queries.to(self.rows.dtype) @ self.rows.T).argmax(1)]

    def add(self, rows: Tensor) -> None:
        """Replace the oldest rows by ``rows`` [n, D], normalised."""
        enqueue(self.cursor, (self.rows, rows))
