"""Makes CIFAR-100's archive and parquet files of its class folders, and shows that all three give one fingerprint.

``python tests/benchmarks/cifar_forms.py DIR`` with DIR/train/<class>/*.png and DIR/test/<class>/*.png. The archive made
holds the original's images in another order than the original's, so its own checksums are not asked for.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.datasets import cifar_names, files
from bench.datasets.base import Track
from bench.datasets.prepare import get
from bench.datasets.registry import find

Images = list[tuple[Path, int]]
SHARD = 20_000  # rows of a parquet file


def listed(folder: Path, names: Sequence[str]) -> Images:
    """Every image of ``folder/<class>`` with its label, in a seeded random order."""
    found = [(path, label) for label, name in enumerate(names) for path in sorted((folder / name).glob("*.png"))]
    random.Random(0).shuffle(found)
    return found


def write_parquet(images: Images, target: Path, split: str, names: Sequence[str], coarse: Sequence[int]) -> None:
    """The files that Hugging Face has: img (bytes, path), fine_label, coarse_label; and the names in the metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    features = {"fine_label": {"names": list(names), "_type": "ClassLabel"}, "img": {"_type": "Image"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    shards = [images[start : start + SHARD] for start in range(0, len(images), SHARD)]
    target.mkdir(parents=True, exist_ok=True)
    for i, shard in enumerate(shards):
        columns = {
            "img": [{"bytes": path.read_bytes(), "path": path.name} for path, _ in shard],
            "fine_label": [label for _, label in shard],
            "coarse_label": [coarse[label] for _, label in shard],
        }
        table = pa.table(columns).replace_schema_metadata(metadata)
        parquet.write_table(table, target / f"{split}-{i:05}-of-{len(shards):05}.parquet")


def write_batch(images: Images, path: Path, coarse: Sequence[int]) -> None:
    """A batch as in the archive."""
    pixels = [np.asarray(Image.open(io.BytesIO(p.read_bytes())).convert("RGB")).transpose(2, 0, 1).ravel() for p, _ in images]
    labels = [label for _, label in images]
    batch = {
        b"data": np.stack(pixels),
        b"fine_labels": labels,
        b"coarse_labels": [coarse[label] for label in labels],
        b"filenames": [p.name.encode() for p, _ in images],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(batch, protocol=2))


def with_batches(track: Track, folder: Path) -> Track:
    """The track as if the batches in ``folder`` were the genuine ones."""
    members = {name: files.digest_of(folder / name, 32) for name in track.members}
    return replace(track, members=members)


def fingerprints(folder: Path) -> dict[str, str]:
    track, coarse = find("cifar100"), cifar_names.GROUPING.of
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        for split in ("train", "test"):
            images = listed(folder / split, track.names)
            write_parquet(images, root / "parquet", split, track.names, coarse)
            write_batch(images, root / "batches" / "cifar-100-python" / split, coarse)
        ways = {
            "class folders": (track, folder),
            "parquet": (track, root / "parquet"),
            "archive": (with_batches(track, root / "batches"), root / "batches"),
        }
        made = {way: get(of, root / way, source) for way, (of, source) in ways.items()}
        return {way: json.loads((place / "meta.json").read_text())["fingerprint"] for way, place in made.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    found = fingerprints(parser.parse_args().folder)
    print("\n".join(f"{way:14} {digest}" for way, digest in found.items()))
    sys.exit(len(set(found.values())) != 1)
