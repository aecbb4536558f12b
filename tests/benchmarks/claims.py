"""How often a board makes a wrong claim, and what it can see: ``python tests/benchmarks/claims.py`` prints both as Markdown.

Made-up runs: a test image has a difficulty that all methods share and one that is the method's own, a run has a random
effect, and every outcome has noise. Identical methods draw all of it from the same distributions. A board makes a wrong
claim where it ranks any of them above another.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from bench.reporting import paired, stats
from bench.reporting.paired import Sample

METHODS, SEEDS, IMAGES = (2, 5, 15), (3, 5, 10), (250, 1000, 10_000)
UNEVEN = 3.0  # times as much luck as the others has the last method, where boards are uneven
LUCK = 0.08  # standard deviation of a run, in logits: at 67% about 1.6 points of accuracy, between two runs 2.2
NOISE = 1.0  # of an image in a run
SPREAD = 1.5  # of the images' difficulty, in logits
OWN = 0.5  # of the difficulty that is the method's own


def board(
    rng: np.random.Generator,
    methods: int,
    seeds: int,
    images: int,
    ease: float,
    gain: float = 0.0,
    kept: bool = True,
    uneven: bool = False,
) -> dict[str, Sample]:
    """Samples of ``methods`` identical methods, the last of them better by ``gain`` (in logits) and, if ``uneven``, with
    more luck; ``kept``: with outcomes."""
    difficulty = rng.normal(ease, SPREAD, images).astype(np.float32)
    found = {}
    for number in range(methods):
        shift = difficulty + rng.normal(gain * (number == methods - 1), OWN, images).astype(np.float32)
        luck = rng.normal(0, LUCK * (UNEVEN if uneven and number == methods - 1 else 1), (seeds, 1)).astype(np.float32)
        right = rng.standard_normal((seeds, images), dtype=np.float32) * NOISE + luck + shift > 0
        values = {seed: float(right[seed].mean()) for seed in range(seeds)}
        found[str(number)] = Sample(values, dict(enumerate(right)) if kept else {}, images)
    return found


def is_wrong(samples: dict[str, Sample]) -> bool:
    """Whether a board of identical methods claims anything."""
    return any(one.verdict in ("better", "worse") for one in paired.family(paired.all_pairs(samples)).values())


def wrong_share(
    boards: int, methods: int, seeds: int, images: int, ease: float, kept: bool = True, uneven: bool = False
) -> float:
    """Share of made-up boards with some wrong claim."""
    rng = np.random.default_rng([methods, seeds, images, round(100 * ease), kept])
    return sum(is_wrong(board(rng, methods, seeds, images, ease, kept=kept, uneven=uneven)) for _ in range(boards)) / boards


def smallest_seen(boards: int, methods: int, seeds: int, images: int, ease: float) -> float:
    """The smallest gain of one method, in accuracy, that its board ranks above some rival of its own with probability 0.8."""
    rng = np.random.default_rng([methods, seeds, images])
    low, high, seen = 0.0, 8.0, float("nan")
    for _ in range(7):
        gain = (low + high) / 2
        made = [board(rng, methods, seeds, images, ease, gain) for _ in range(boards)]
        last = str(methods - 1)
        found = [
            one.verdict in ("better", "worse")
            for samples in made
            for one in [paired.family(paired.all_pairs(samples))["0", last]]
        ]
        if np.mean(found) >= paired.POWER:
            high, seen = gain, float(np.mean([_mean(s[last]) - _mean(s["0"]) for s in made]))
        else:
            low = gain
    return seen


def _mean(sample: Sample) -> float:
    return float(np.mean(list(sample.values.values())))


def rows(boards: int, sizes: Sequence[int], ease: float) -> Iterator[dict[str, str]]:
    for images, seeds, methods in itertools.product(sizes, SEEDS, METHODS):
        wrong = wrong_share(boards, methods, seeds, images, ease)
        uneven = wrong_share(boards, methods, seeds, images, ease, uneven=True)
        seen = smallest_seen(max(20, boards // 20), methods, seeds, images, ease)
        low, high = stats.wilson(wrong, boards)
        yield {
            "test images": f"{images:,}",
            "n": str(seeds),
            "methods": str(methods),
            "some wrong claim": f"{100 * wrong:.1f}% ({100 * low:.1f}–{100 * high:.1f})",
            "one method uneven": f"{100 * uneven:.1f}%",
            "seen with 0.8": "nothing" if np.isnan(seen) else f"{100 * seen:.1f} points",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("--images", type=int, nargs="*", default=IMAGES)
    parser.add_argument("--ease", type=float, default=0.8, help="mean of the images' ease, in logits")
    given = parser.parse_args()
    for number, row in enumerate(rows(given.boards, given.images, given.ease)):
        if number == 0:
            print(f"| {' | '.join(row)} |\n|{' --- |' * len(row)}", flush=True)
        print(f"| {' | '.join(row.values())} |", flush=True)


if __name__ == "__main__":
    main()
