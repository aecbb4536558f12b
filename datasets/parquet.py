"""Images in Hugging Face's parquet files: a column of encoded images, one of labels. Needs pyarrow, and no network.

An image in such a file is called FILE#ROW.
"""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .base import DataError

IMAGES = ("img", "image")  # a struct with bytes in it, or the bytes themselves
LABELS = ("fine_label", "label")  # the first of these names that the file has; the same for IMAGES
WORDS = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}
SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(.*)")
ENDS = frozenset({".parquet"})
MEMBER = re.compile(r"(.*\.parquet)#(\d+)", re.DOTALL | re.IGNORECASE)
ROWS = 256  # images read at a time


class Table(NamedTuple):
    """The files of one split, the names of their image and label columns, and the class names, if the files have them."""

    paths: list[Path]
    image: str
    label: str
    names: tuple[str, ...]


def splits(folder: Path, names: Iterable[str]) -> dict[str, Table]:
    """The parquet files ``names`` below ``folder``, by split (train, val, test).

    The name of a file gives its split, else that of a folder above it. `DataError` names the file that is wrong.
    """
    _starts.cache_clear()  # the files may have changed since another preparation by this process
    _group.cache_clear()
    found: dict[str, list[Path]] = {}
    for path in sorted(folder / name for name in names):
        found.setdefault(_split_of(path, folder), []).append(path)
    return {split: _table(paths) for split, paths in found.items()}


def _split_of(path: Path, folder: Path) -> str:
    for name in reversed(path.relative_to(folder).with_suffix("").parts):
        words = {WORDS[word] for word in re.split(r"[^a-z]+", name.lower()) if word in WORDS}
        if len(words) == 1:
            return words.pop()
    raise DataError(f"{path}: neither its name nor its folders say whether it is of train, validation or test")


def _table(paths: list[Path]) -> Table:
    _require_all_shards(paths)
    schemas = [_opened(path).schema_arrow for path in paths]
    columns = [(_column(p, s, IMAGES), _column(p, s, LABELS), _names(s)) for p, s in zip(paths, schemas, strict=True)]
    for path, other in zip(paths, columns, strict=True):
        if other != columns[0]:
            raise DataError(f"{path} has other columns or classes than {paths[0].name}")
    image, label, names = columns[0]
    classes = names.get(label, ())
    twice = [name for name, times in Counter(classes).items() if times > 1]
    if twice:
        raise DataError(f"{paths[0]}: the metadata of its column {label} has two classes {twice[0]}")
    return Table(paths, image, label, classes)


def _require_all_shards(paths: list[Path]) -> None:
    shards = [match.groups() for path in paths if (match := SHARD.fullmatch(path.stem))]
    for of in {int(of) for _, _, of, _ in shards}:
        missing = sorted(set(range(of)) - {int(i) for _, i, n, _ in shards if int(n) == of})
        if missing:
            raise DataError(f"{paths[0].parent} lacks {len(missing)} of {of} files: the first is {missing[0]:05}-of-{of:05}")


def _opened(path: Path) -> Any:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(f"{path} needs pyarrow: pip install 'ssl-bench[parquet]'") from None
    try:
        return ParquetFile(path)
    except Exception as error:  # a damaged file raises almost anything
        raise DataError(f"{path} is damaged or cut short: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _column(path: Path, schema: Any, names: Sequence[str]) -> str:
    from pyarrow import types

    found = next((name for name in names if name in schema.names), None)
    if found is None:
        raise DataError(f"{path} lacks a column {' or '.join(names)}: it has {', '.join(schema.names)}")
    kind = schema.field(found).type
    if names is LABELS and not types.is_integer(kind):
        raise DataError(f"{path}: its column {found} holds {kind}, not whole numbers")
    if names is IMAGES and not ((types.is_struct(kind) and kind.get_field_index("bytes") >= 0) or _is_binary(types, kind)):
        raise DataError(f"{path}: its column {found} holds {kind}, not encoded images")
    return found


def _is_binary(types: Any, kind: Any) -> bool:
    return types.is_binary(kind) or types.is_large_binary(kind)


def _names(schema: Any) -> dict[str, tuple[str, ...]]:
    """The names of classes by column, from the metadata that `datasets` writes."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {column: tuple(map(str, kind["names"])) for column, kind in features.items() if "names" in kind}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def count(table: Table) -> int:
    """The number of rows of a split."""
    return sum(_opened(path).metadata.num_rows for path in table.paths)


def rows(table: Table) -> Iterator[tuple[str, bytes, int]]:
    """The place (for messages), the encoded image and the label of every row; `DataError` on a row that lacks one."""
    for path in table.paths:
        at = 0
        for batch in _batches(path, [table.image, table.label]):
            for image, label in zip(batch[table.image], batch[table.label], strict=True):
                content = image.get("bytes") if isinstance(image, dict) else image
                if content is None or label is None:
                    raise DataError(f"{path}: row {at} has no {'label' if content else 'image in the file'}")
                yield f"{path} row {at}", content, label
                at += 1


def labels(table: Table) -> Iterator[tuple[Path, list[int]]]:
    """Every file of the table and the labels in it; `DataError` on a row that lacks one."""
    for path in table.paths:
        found = [label for batch in _batches(path, [table.label]) for label in batch[table.label]]
        if None in found:
            raise DataError(f"{path}: row {found.index(None)} has no label")
        yield path, found


def file_of(name: str) -> str:
    """The file that holds the image ``name``: a parquet file, or its own."""
    inside = MEMBER.fullmatch(name)
    return inside[1] if inside else name


def source(name: Path | str) -> Path | str | io.BytesIO:
    """The path or stream of the image ``name``, for ``Image.open``; `DataError` where a parquet file lacks it."""
    inside = MEMBER.fullmatch(str(name))
    return io.BytesIO(_content(inside[1], int(inside[2]))) if inside else name


def _content(path: str, row: int) -> bytes:
    starts = _starts(path)
    group = bisect_right(starts, row) - 1
    found = _group(path, group)[row - starts[group]]
    if found is None:
        raise DataError(f"{path}: row {row} has no image in the file")
    return found


@cache
def _starts(path: str) -> list[int]:
    """The first row of each group of rows."""
    meta, starts = _opened(Path(path)).metadata, [0]
    for i in range(meta.num_row_groups):
        starts.append(starts[-1] + meta.row_group(i).num_rows)
    return starts[:-1]


@lru_cache(2)  # images are read in order, so that few groups are in use
def _group(path: str, group: int) -> list[bytes | None]:
    file = _opened(Path(path))
    column = _column(Path(path), file.schema_arrow, IMAGES)
    try:
        values = file.read_row_group(group, columns=[column]).column(0).to_pylist()
    except Exception as error:
        raise DataError(f"{path} is damaged or cut short: {_line(error)}") from None
    return [value.get("bytes") if isinstance(value, dict) else value for value in values]


def _batches(path: Path, columns: list[str]) -> Iterator[dict[str, list]]:
    try:
        for batch in _opened(path).iter_batches(ROWS, columns=columns):
            yield batch.to_pydict()
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path} is damaged or cut short: {_line(error)}") from None
