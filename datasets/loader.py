"""Batches of augmented views. Every batch is a pure function of (seed, step): a resume needs no other state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from .augment import Policy, augment, evaluation_view
from .store import Store

FITS = 0.5  # a store moves to the device when it takes at most this share of its free memory


def derived_seed(*parts: object) -> int:
    """A 63-bit seed that depends on every part and on nothing else."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little") >> 1


class Loader:
    """Augmented batches of a train split.

    The store lies on ``device`` where it fits, else it stays where it is and each batch is copied over.
    An epoch is one seeded permutation; the rest that does not fill a batch is left out.
    """

    def __init__(self, store: Store, policy: Policy, size: int, batch_size: int, seed: int, device: torch.device, views: int = 2):
        self.store = place(store, device)
        self.policy, self.size, self.batch_size, self.views = policy, size, batch_size, views
        self.seed, self.device = seed, device
        self.steps_per_epoch = len(store) // batch_size
        self._generator = torch.Generator(device)
        self._shuffler = torch.Generator(self.store.images.device)  # the order lies where it is looked up: nothing waits
        self._epoch, self._order = -1, torch.empty(0)

    def batch(self, step: int) -> tuple[list[Tensor], Tensor]:
        """The batch of ``step``: a list of views, float [B, C, size, size] each, and the images' index int64 [B]."""
        rows = self.index(step)
        images, sizes = self.fetch(rows)
        self._generator.manual_seed(derived_seed("views", self.seed, step))
        many = images.repeat(self.views, 1, 1, 1)
        many_sizes = None if sizes is None else sizes.repeat(self.views, 1)
        order_seed = derived_seed("order", self.seed, step)
        augmented = augment(self.policy, many, many_sizes, self.size, self._generator, order_seed)
        return list(augmented.split(self.batch_size)), rows.to(self.device, non_blocking=True)

    def index(self, step: int) -> Tensor:
        """Positions in the train split, int64 [B] where the store lies, of the images of ``step``; none twice an epoch."""
        epoch, place_in_epoch = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._shuffler.manual_seed(derived_seed("epoch", self.seed, epoch))
            self._order = torch.randperm(len(self.store), generator=self._shuffler, device=self._shuffler.device)
            self._epoch = epoch
        start = place_in_epoch * self.batch_size
        return self._order[start : start + self.batch_size]

    def fetch(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Raw images uint8 [B, C, H, W] and original sizes (or None) of ``rows``, on the device."""
        images, sizes = self.store.take(rows)
        if images.device == self.device:
            return images, sizes
        moved = None if sizes is None else sizes.pin_memory().to(self.device, non_blocking=True)
        return images.pin_memory().to(self.device, non_blocking=True), moved


def place(store: Store, device: torch.device) -> Store:
    """The store on ``device`` where it fits there with room to spare; memory on the CPU is a file map already."""
    if device.type == "cpu":
        return store if store.nbytes > 2**31 else store.resident(device)
    free, _ = torch.cuda.mem_get_info(device)
    return store.resident(device) if store.nbytes < FITS * free else store


def evaluation_batches(store: Store, policy: Policy, size: int, device: torch.device, batch_size: int = 512) -> Iterator[Tensor]:
    """The whole split in order, as evaluation sees it: float [<= batch_size, C, size, size]."""
    for rows in torch.arange(len(store), device=store.images.device).split(batch_size):
        images, sizes = store.take(rows)
        sizes = None if sizes is None else sizes.to(device)
        view = evaluation_view(policy, images.to(device), sizes, size)
        yield view.contiguous(memory_format=torch.channels_last)
