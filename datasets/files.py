"""Raw files, from a folder or by download, each verified against its checksum; no code in them is ever run."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import shutil
import tarfile
import urllib.request
import zlib
from collections.abc import Iterable
from pathlib import Path

from .base import DataError, File

TIMEOUT = 30  # seconds without an answer


def digest_of(path: Path, length: int) -> str:
    """The MD5 (``length`` 32) or SHA-256 (64) of a file, as hexadecimal text; of a ``.gz``, of its content."""
    hasher = hashlib.md5(usedforsecurity=False) if length == 32 else hashlib.sha256()
    is_packed = path.suffix == ".gz" and not path.name.endswith(".tar.gz")
    try:
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            while block := stream.read(1 << 20):
                hasher.update(block)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    return hasher.hexdigest()


def verify(path: Path, file: File) -> None:
    """`DataError` unless the file at ``path`` has the content that ``file`` names."""
    found = digest_of(path, len(file.digest))
    if found != file.digest:
        raise DataError(f"{path} is damaged or another file: its checksum is {found} instead of {file.digest}")


def find(folder: Path, name: str) -> Path | None:
    """``name`` in ``folder``, packed or not."""
    for candidate in (folder / name, folder / f"{name}.gz", folder / name.removesuffix(".gz")):
        if candidate.is_file():
            return candidate
    return None


def download(files: Iterable[File], folder: Path) -> None:
    """Fetch into ``folder`` the files that are not there yet, and verify all; `DataError` without a network."""
    for file in files:
        target = folder / file.name
        if not target.exists():
            _fetch(file, target)
        elif not _is_whole(target, file):
            raise DataError(f"{target} is damaged or another file; delete it, and the same command downloads it again")


def _fetch(file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{target.name}")  # whose end says whether it is packed
    try:
        with urllib.request.urlopen(file.url, timeout=TIMEOUT) as answer, partial.open("wb") as out:
            shutil.copyfileobj(answer, out)
        if not _is_whole(partial, file):
            raise DataError(f"{file.url} broke off, or has another checksum than {file.digest}; the same command tries it again")
        partial.replace(target)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"cannot download {file.url} ({getattr(error, 'reason', error)}); "
            f"fetch it elsewhere and put it into {target.parent}, or name its folder with --from"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _is_whole(path: Path, file: File) -> bool:
    with contextlib.suppress(DataError):  # a packed file that is cut off
        return digest_of(path, len(file.digest)) == file.digest
    return False


def unpack(archive: Path, members: Iterable[str], folder: Path) -> None:
    """Take just the named plain files out of a tar archive; names and links in it cannot lead elsewhere."""
    try:
        with tarfile.open(archive) as tar:
            for name in members:
                source = tar.extractfile(name)
                if source is None:
                    raise DataError(f"{archive} holds no plain file {name}")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise DataError(f"cannot unpack {archive}: {error}") from None
