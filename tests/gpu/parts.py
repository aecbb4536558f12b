"""What is measured on a GPU: the loops, ours and lightly's, and the stores that feed them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from lightly.models.modules.heads import SimCLRProjectionHead

from bench.backbone import build_backbone
from bench.datasets.augment import Policy
from bench.datasets.feed import feed
from bench.datasets.loader import stored_on
from bench.methods import Method
from bench.throughput import peers, scene
from bench.throughput.figures import Parts
from bench.throughput.scene import COLOUR
from bench.throughput.timing import Measured, in_turn
from bench.training.loss_call import LossCall, choose

GIB = 2**30
TOKENS = "vit_tiny_patch4_32"  # the backbone of methods that need a vision transformer


def policy_at(side: int) -> Policy:
    """The views of a track of that size: blurred from 64 pixels on."""
    return COLOUR if side < 64 else replace(COLOUR, blur=0.5)


def trainer_of(kind: type[Method], device: torch.device, sizes, side: int, batch: int):
    """A trainer of ``kind`` on made-up images that lie on the device; of a backbone that it can train."""
    store = stored_on(scene.random_store(max(sizes.images, 4 * batch), 100, side=side), device)
    encoder = build_backbone(sizes.backbone if kind.needs == "any" else TOKENS, 3, side)
    return scene.make_trainer(kind, encoder, store, policy_at(side), side, batch, device)


def parts_of(kind: type[Method], device: torch.device, sizes, side: int, batch: int) -> Parts:
    """The training loop of ``kind``, as a run would have it: compiled where that works."""
    trainer = trainer_of(kind, device, sizes, side, batch)
    trainer.call = choose(trainer.method, trainer.training, lambda: trainer.loader.batch(0), device)
    return Parts(trainer, sizes.steps)


@contextmanager
def lightly_loop(device: torch.device, sizes, side: int, batch: int) -> Iterator[Callable[[], float]]:
    """lightly's loop with the same network and views; its workers are stopped at the end."""
    encoder = build_backbone(sizes.backbone, 3, side)
    head = SimCLRProjectionHead(encoder.num_features, encoder.num_features, 128)
    network = torch.nn.Sequential(encoder, head).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    images = scene.random_images(512, side=side)
    source = peers.batches(peers.PilImages(images, peers.transform(policy_at(side), side), 10**7), batch)
    moved = ([view.to(device, non_blocking=True) for view in views] for views in source)

    def steps() -> float:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            peers.simclr_steps(network, optimizer, moved, sizes.steps)
        wait(device)
        return sizes.steps * batch

    try:
        yield steps
    finally:
        source._shutdown_workers()


def feeds_of(device: torch.device, sizes, side: int, batch: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """Batches of raw images: fed from host memory, and taken from a store on the device."""
    store = scene.random_store(max(sizes.images, 4 * batch), 100, side=side)
    on_device = store.resident(device)

    def rows() -> list[torch.Tensor]:
        return [torch.randperm(len(store))[:batch] for _ in range(sizes.steps)]

    def fed() -> float:
        for _ in feed(store, rows(), device):
            pass
        return done()

    def taken() -> float:
        for chosen in rows():
            on_device.take(chosen.to(device))
        return done()

    def done() -> float:
        wait(device)
        return sizes.steps * batch

    return fed, taken


def compiled_and_plain(kind: type[Method], device: torch.device, sizes) -> Iterator[Measured]:
    """Steps of a method at 32 pixels, compiled and plain in turn, and GiB at the peak."""
    trainer = trainer_of(kind, device, sizes, 32, sizes.batches[32])
    plain = LossCall(trainer.method.loss)
    begun = time.perf_counter()
    call = choose(trainer.method, trainer.training, lambda: trainer.loader.batch(0), device)
    yield Measured(f"{kind.name}_trying", f"s to choose the loss; compiled: {call.compiled}", time.perf_counter() - begun)
    parts = Parts(trainer, sizes.steps)

    def by(call: LossCall) -> Callable[[], float]:
        def steps() -> float:
            trainer.call = call
            return parts.model_only()

        return steps

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield in_turn(f"{kind.name}_model_only", "images/s; peer: not compiled", by(call), by(plain), sizes.repeats)
    if device.type == "cuda":
        yield Measured(f"{kind.name}_memory", "GiB at the peak", torch.cuda.max_memory_allocated(device) / GIB)


def wait(device: torch.device) -> None:
    """Until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
