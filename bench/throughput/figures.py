"""The figures of speed. Each is a function that yields rows; larger rates are better."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection

import torch

from .. import versions
from ..backbone import build_backbone, unsuited
from ..datasets.augment import augment
from ..datasets.base import Track
from ..environment import one_thread
from ..errors import UserError
from ..evaluation.frozen import Features
from ..evaluation.knn import Setting, knn_predict
from ..evaluation.linear import fit_linear
from ..methods import Method, registry
from ..methods.parts.kmeans import kmeans, plus_plus
from . import scene
from .detection import detection
from .parts import Parts
from .scene import COLOUR, CPU, Scale, SmallNet
from .timing import Measured, from_pairs, in_turn, rate

Measure = Callable[[Scale, bool, int], Iterator[Measured]]  # scale, with peers, repeats


def augment_32px(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """Augmentation of 32-pixel colour images on one core."""
    images = scene.random_images(2 * scale.batch)  # a step of two views augments as many in one call
    generator = torch.Generator()

    def ours() -> float:
        for step in range(scale.views // len(images)):
            augment(COLOUR, images, None, 32, generator, step)
        return scale.views

    theirs = None
    if peers:
        from . import peers as lightly

        dataset = lightly.PilImages(images, lightly.transform(COLOUR, 32), len(images))

        def theirs() -> float:
            for i in range(len(images)):
                dataset[i]
            return 2 * len(images)

    with one_thread():
        yield in_turn("augment_32px", "views/s a core", ours, theirs, repeats)


def end_to_end(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """Training a small network, against the peer's loop, and against the same steps on ready-made views."""
    store = scene.random_store(scale.images, scale.classes)
    parts = Parts(scene.make_trainer(baseline(), SmallNet(), store, COLOUR, 32, scale.batch, CPU), scale.steps)
    if peers:
        rate(parts.end_to_end), _peer_loop(scale)
        pairs = [(rate(parts.end_to_end), _peer_loop(scale)) for _ in range(repeats)]
        yield from_pairs("end_to_end_small", "images/s", pairs)
    else:
        yield in_turn("end_to_end_small", "images/s", parts.end_to_end, None, repeats)
    unit = "images/s; peer: the same steps on ready-made views"
    yield in_turn("end_to_end_over_model", unit, parts.end_to_end, parts.model_only, 3 * repeats)


def of_track(track: Track, kind: type[Method], device: torch.device, repeats: int) -> Iterator[Measured]:
    """Input only, model only and end to end of a method on a track's default backbone, with synthetic images."""
    channels = len(track.policy.mean)
    encoder = build_backbone(track.backbone, channels, track.size)
    if why := unsuited(kind, encoder, track.backbone) if kind.trains else "does not train: it has no speed of training":
        raise UserError(f"{kind.name} {why}")
    store = scene.random_store(4 * track.batch_size, track.classes, channels, track.size)
    parts = Parts(scene.make_trainer(kind, encoder, store, track.policy, track.size, track.batch_size, device), steps=4)
    name = f"{track.name}_{kind.name}"
    yield in_turn(f"input_only_{name}", "images/s", parts.input_only, None, repeats)
    unit = "images/s; peer: the same steps on ready-made views"
    yield in_turn(f"end_to_end_{name}", unit, parts.end_to_end, parts.model_only, repeats)


def _peer_loop(scale: Scale) -> float:
    """Images a second of lightly's loop once its workers run; starting them is not counted."""
    from lightly.models.modules.heads import SimCLRProjectionHead

    from . import peers as lightly

    encoder = SmallNet()
    network = torch.nn.Sequential(encoder, SimCLRProjectionHead(encoder.num_features, encoder.num_features, 128))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    dataset = lightly.PilImages(scene.random_images(512), lightly.transform(COLOUR, 32), 10**6)
    source = lightly.batches(dataset, scale.batch)
    lightly.simclr_steps(network, optimizer, source, 4)  # until the prefetched batches are used up
    begun = time.perf_counter()
    lightly.simclr_steps(network, optimizer, source, scale.steps)
    speed = scale.steps * scale.batch / (time.perf_counter() - begun)
    source._shutdown_workers()  # type: ignore[attr-defined]
    return speed


def knn(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """Weighted kNN with k = 200, and the memory it takes."""
    bank, labels = scene.random_features(scale.images, scale.width, scale.classes)
    queries = bank[: scale.queries] + 0.1

    def ours() -> float:
        knn_predict(queries, bank, labels, scale.classes, [Setting(200, 0.1)])
        return scale.queries

    theirs = None
    if peers:
        from . import peers as lightly

        def theirs() -> float:
            q, b = (torch.nn.functional.normalize(x, dim=1) for x in (queries, bank))
            lightly.knn_predict(q, b.T, labels, scale.classes, 200, 0.1)
            return scale.queries

    yield in_turn("knn", "queries/s", ours, theirs, repeats)
    if theirs is not None:
        used, peer = memory_of(ours), memory_of(theirs)
        yield Measured("knn_memory", "MiB beside its input", used, peer, peer / used)


def linear(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """The whole linear evaluation: grid of strengths, choice and refit."""
    features, labels = scene.random_features(scale.images, scale.width, scale.classes)

    def ours() -> float:
        fit_linear(Features(features, labels), scale.classes)
        return 1

    theirs = None
    if peers:
        from . import peers as lightly

        def theirs() -> float:
            lightly.sgd_probe(features, labels, scale.classes, scale.probe_epochs)
            return 1

    yield in_turn("linear", f"evaluations of protocol {versions.PROTOCOL}/s", ours, theirs, repeats)


def kmeans_(scale: Scale, peers: bool, repeats: int) -> Iterator[Measured]:
    """20 iterations of k-means on projections of 128 dimensions, from the same start."""
    points = torch.nn.functional.normalize(scene.random_features(scale.images, 128, 100)[0], dim=1)
    start = plus_plus(points, scale.centroids, torch.Generator().manual_seed(0))

    def ours() -> float:
        kmeans(points, scale.centroids, 20, torch.Generator(), start)
        return 20

    theirs = None
    if peers:
        from sklearn.cluster import KMeans

        def theirs() -> float:
            model = KMeans(scale.centroids, init=start.numpy(), n_init=1, max_iter=20, tol=0, algorithm="lloyd")
            return model.fit(points.numpy()).n_iter_

    yield in_turn("kmeans", "iterations/s", ours, theirs, repeats)


def baseline() -> type[Method]:
    """The method that speed is measured with by default."""
    return next(kind for kind in registry().values() if kind.baseline)


def memory_of(work: Callable[[], float]) -> float:
    """MiB that ``work`` adds to the peak memory of a process that holds its input."""
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_measure_memory, args=(work, theirs))
    child.start()
    theirs.close()
    used = ours.recv()
    child.join()
    return used


def _measure_memory(work: Callable[[], float], pipe: Connection) -> None:
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


FIGURES: dict[str, Measure] = {
    "augment": augment_32px,
    "end_to_end": end_to_end,
    "knn": knn,
    "linear": linear,
    "kmeans": kmeans_,
    "detection": detection,
}
