"""Images of a store that stays on disk: gathered ahead in the background, copied while the device computes.

Two buffers take turns. While one batch is used, threads gather the next one into the other buffer; on a GPU the
buffers are pinned, and the copy runs on a stream of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle

import torch
from torch import Tensor

from .store import Store

READERS = 4  # threads that gather: a disk is faster with several requests at once
Batch = tuple[Tensor, Tensor | None]


def feed(store: Store, batches: Iterable[Tensor], device: torch.device) -> Iterator[Batch]:
    """Images uint8 [B, C, H, W] on ``device`` and their original sizes [B, 2] (or None) for each of ``batches``.

    ``batches`` gives row numbers int64 [B] on the CPU and is read one batch ahead. On a CPU a batch is valid until the
    next one is requested.
    """
    buffers = cycle([_Buffer(store, device), _Buffer(store, device)])
    ahead: deque[tuple[_Buffer, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(READERS, "feed") as pool:
        for rows in batches:
            buffer = next(buffers)
            ahead.append((buffer, buffer.gather(rows, pool)))
            if len(ahead) == 2:
                yield _sent(*ahead.popleft())
        while ahead:
            yield _sent(*ahead.popleft())


def _sent(buffer: _Buffer, gathered: list[Future[None]]) -> Batch:
    for part in gathered:
        part.result()
    return buffer.send()


class _Buffer:
    """Host memory for one batch, and the copy from there to the device."""

    def __init__(self, store: Store, device: torch.device):
        self.store, self.device = store, device
        self.on_gpu = device.type == "cuda"
        self.room = torch.empty(0, dtype=torch.uint8)
        self.images: Tensor = self.room
        self.sizes: Tensor | None = None
        self.stream = torch.cuda.Stream(device) if self.on_gpu else None

    def gather(self, rows: Tensor, pool: ThreadPoolExecutor) -> list[Future[None]]:
        """Start reading the images ``rows`` in the background."""
        if len(self.room) < len(rows):
            shape = (len(rows), *self.store.images.shape[1:])
            self.room = torch.empty(shape, dtype=torch.uint8, pin_memory=self.on_gpu)
        self.images, self.sizes = self.room[: len(rows)], self.store.sizes_of(rows)
        return [pool.submit(self._gather, *part) for part in zip(rows.chunk(READERS), self.images.chunk(READERS), strict=True)]

    def _gather(self, rows: Tensor, out: Tensor) -> None:
        if self.stream is not None:
            self.stream.synchronize()  # the buffer's last copy must be done; only this background thread waits
        self.store.gather(rows, out)

    def send(self) -> Batch:
        """The gathered images and sizes on the device."""
        if self.stream is None:
            return self.images, self.sizes
        with torch.cuda.stream(self.stream):
            images = self.images.to(self.device, non_blocking=True)
            sizes = None if self.sizes is None else self.sizes.pin_memory().to(self.device, non_blocking=True)
        work = torch.cuda.current_stream(self.device)
        work.wait_stream(self.stream)
        for moved in (images, sizes):
            if moved is not None:
                moved.record_stream(work)  # the allocator does not reuse its memory while the work needs it
        return images, sizes
