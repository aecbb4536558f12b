"""Made-up files of images, for tests of what is prepared from them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str = "RGB") -> bytes:
    """An image's file, of uint8 [H, W, 3]."""
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def write_table(
    path: Path,
    pairs: Iterable[tuple[bytes | None, int]],
    image: str = "img",
    label: str = "fine_label",
    names: Sequence[str] | None = None,
) -> None:
    """A parquet file as Hugging Face has it, of encoded images and labels; the classes' ``names`` in its metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    pairs = list(pairs)
    table = pa.table({image: [{"bytes": b, "path": None} for b, _ in pairs], label: [i for _, i in pairs]})
    if names:
        features = {label: {"names": list(names), "_type": "ClassLabel"}, image: {"_type": "Image"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def fingerprint(place: Path) -> str:
    """Of a prepared dataset."""
    return json.loads((place / "meta.json").read_text())["fingerprint"]
