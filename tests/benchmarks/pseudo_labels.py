"""Time and memory of pseudo labels as N and k grow: ``python tests/benchmarks/pseudo_labels.py [N k [iterations]]``.

Every row is a process of its own, as memory is the peak of its resident set above the features. Few iterations
are timed; a detection is calculated from them: the start, 20 iterations and one assignment more, and the confidence.
"""

from __future__ import annotations

import itertools
import resource
import subprocess
import sys
import time

DIMENSION, ITERATIONS = 128, 2
ROWS = ((50_000, 500), (50_000, 1000), (50_000, 2000), (100_000, 1000), (100_000, 2000), (200_000, 2000))


def measure(images: int, k: int, iterations: int) -> str:
    """One row of the table, as Markdown."""
    import torch

    from bench.methods.parts.kmeans import kmeans as cluster
    from bench.methods.parts.kmeans import plus_plus
    from bench.methods.parts.pseudo_labels import ITERATIONS as ALL
    from bench.methods.parts.pseudo_labels import certainty, normalize_

    features = torch.randn(images, DIMENSION, generator=torch.Generator().manual_seed(0))
    torch.mm(features[:512], features[:512].T)  # the library's own buffers are no cost of ours
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    generator = torch.Generator().manual_seed(1)
    marks = [time.perf_counter()]
    points = normalize_(features)
    start = plus_plus(points, k, generator)
    marks.append(time.perf_counter())
    clustering = cluster(points, k, iterations, generator, start)  # and one assignment more
    marks.append(time.perf_counter())
    certainty(points, clustering, "softmax", 0.1)
    marks.append(time.perf_counter())
    begin, lloyd, sure = (after - earlier for earlier, after in itertools.pairwise(marks))
    each = lloyd / (iterations + 1)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    total = begin + each * (ALL + 1) + sure
    return f"| {images:,} | {k:,} | {begin:.1f} s | {each:.2f} s | {sure:.1f} s | {total:.0f} s | {peak:,.0f} MiB |"


def main(arguments: list[str]) -> None:
    if arguments:
        images, k, *iterations = map(int, arguments)
        print(measure(images, k, *(iterations or [ITERATIONS])), flush=True)
        return
    print("| N | k | start | an iteration | confidence | a detection, calculated | memory in addition to the features |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for images, k in ROWS:
        subprocess.run([sys.executable, __file__, str(images), str(k)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
