"""Batches of augmented views. Every batch is a pure function of (seed, step): a resume needs no other state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import torch
from torch import Tensor

from .augment import Policy, View, augment, evaluation_view
from .feed import Batch, feed
from .store import Store

FITS = 0.5  # a store moves to a GPU when it takes at most this share of its free memory
HOLDS = 2**31  # bytes: a larger store stays a file on the CPU


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part and on nothing else."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little") >> 1


class Loader:
    """Augmented batches of a train split.

    The store is on ``device`` where it fits; else it stays on disk and batches are read from there.
    An epoch is one seeded permutation without its last, incomplete batch.
    ``policy`` and ``size`` are the track's; ``views`` are the method's, by default two views under the track's policy.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        size: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        views: tuple[View, ...] | None = None,
    ):
        self.store = stored_on(store, device)
        self.policy, self.size, self.batch_size = policy, size, batch_size
        self.views = (View(policy, size, 2),) if views is None else views
        self.seed, self.device = seed, device
        self.steps_per_epoch = len(store) // batch_size
        self._generator = torch.Generator(device)
        self._shuffler = torch.Generator()  # of the CPU on every device: its order is the same wherever the images are kept
        self._epoch, self._order = -1, torch.empty(0)
        self._feed: Iterator[Batch] = iter(())
        self._fed = -1  # the step of the next batch of the feed

    def batch(self, step: int) -> tuple[list[Tensor], Tensor]:
        """The batch of ``step``: the views in their order, float [B, C, size, size] each, and the images' index int64 [B].

        Views of one policy and size are augmented together.
        """
        rows = self.index(step)
        images, sizes = self.fetch(step)
        self._generator.manual_seed(derived_seed("views", self.seed, step))
        kinds = [(view.policy, view.size) for view in self.views for _ in range(view.count)]
        made: dict[tuple[Policy, int], Iterator[Tensor]] = {}
        for group, (policy, size) in enumerate(dict.fromkeys(kinds)):
            count = kinds.count((policy, size))
            many, many_sizes = images.repeat(count, 1, 1, 1), None if sizes is None else sizes.repeat(count, 1)
            order_seed = derived_seed("order", self.seed, step, *([group] if group else []))
            augmented = augment(policy, many, many_sizes, size, self._generator, order_seed)
            made[policy, size] = iter(augmented.split(self.batch_size))
        return [next(made[kind]) for kind in kinds], rows.to(self.device, non_blocking=True)

    def index(self, step: int) -> Tensor:
        """Positions in the train split, int64 [B] on the store's device, of the images of ``step``; none twice an epoch."""
        epoch, place_in_epoch = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._shuffler.manual_seed(derived_seed("epoch", self.seed, epoch))
            self._order = torch.randperm(len(self.store), generator=self._shuffler).to(self.store.images.device)
            self._epoch = epoch
        start = place_in_epoch * self.batch_size
        return self._order[start : start + self.batch_size]

    def fetch(self, step: int) -> Batch:
        """Raw images uint8 [B, C, H, W] and original sizes (or None) of ``step``, on the device."""
        if not self.store.mapped:
            return self.store.take(self.index(step))
        if step != self._fed:
            self._feed = feed(self.store, map(self.index, count(step)), self.device)
        self._fed = step + 1
        return next(self._feed)


def stored_on(store: Store, device: torch.device) -> Store:
    """The store in the memory of ``device`` where it fits (see FITS and HOLDS), else as it is."""
    room = HOLDS if device.type == "cpu" else FITS * torch.cuda.mem_get_info(device)[0]
    return store.resident(device) if store.nbytes <= room else replace(store, mapped=True)


def evaluation_batches(store: Store, policy: Policy, size: int, device: torch.device, batch_size: int = 512) -> Iterator[Tensor]:
    """The evaluation views of the whole split in order, in batches float [<= batch_size, C, size, size]."""
    parts = torch.arange(len(store), device=store.images.device).split(batch_size)
    for images, sizes in feed(store, parts, device) if store.mapped else map(store.take, parts):
        sizes = None if sizes is None else sizes.to(device)
        view = evaluation_view(policy, images.to(device), sizes, size)
        yield view.contiguous(memory_format=torch.channels_last)
