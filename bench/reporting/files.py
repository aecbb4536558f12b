"""Output files of a report: each can check whether it is current, and write itself."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..storage import write_atomically
from . import plots

PLAIN = re.compile(r"[A-Za-z0-9._=:,/ ]*")
MADE_BY = "Made by `python -m bench report` from the records beside this file; do not edit."


@dataclass(frozen=True)
class Text:
    """A text file's content."""

    content: str

    def is_current(self, path: Path) -> bool:
        return path.is_file() and path.read_bytes() == self.content.encode()

    def write(self, path: Path) -> None:
        write_atomically(path, self.content)


@dataclass(frozen=True)
class Drawing:
    """A figure's file."""

    figure: plots.Figure

    def is_current(self, path: Path) -> bool:
        return self.figure.is_drawn(path)

    def write(self, path: Path) -> None:
        self.figure.save(path)


@dataclass(frozen=True)
class Gone:
    """A file that is to be removed, as there is nothing to show any more."""

    def is_current(self, path: Path) -> bool:
        return not path.exists()

    def write(self, path: Path) -> None:
        path.unlink(missing_ok=True)


Files = dict[Path, Text | Drawing | Gone]


def drawings(out: Path, name: str, figure: plots.Figure, png: bool) -> Files:
    """The files of a figure of the records in ``out``: SVG and PNG, the latter with ``png`` or where there is one."""
    paths = {suffix: path_of(out, name, suffix) for suffix in ("svg", "png")}
    return {path: Drawing(figure) for suffix, path in paths.items() if suffix == "svg" or png or path.exists()}


def path_of(out: Path, name: str, suffix: str) -> Path:
    """The path of the figure ``name`` of the records in ``out``."""
    return out / "figures" / f"{name}.{suffix}"


def plain(text: str) -> str:
    """``text`` as part of a file's name, which no other text has: what is not plain gets a digest."""
    made = re.sub(r"[^A-Za-z0-9._=-]+", "-", text)
    if PLAIN.fullmatch(text):
        return made
    return f"{made}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def outdated(files: Files) -> list[Path]:
    """Files that differ from what the records give. The page and PNG files may be missing, but not old."""
    on_demand = {path for path in files if path.suffix in (".html", ".png")}
    return [path for path, file in files.items() if not file.is_current(path) and (path.exists() or path not in on_demand)]


def write(files: Files) -> list[Path]:
    """Bring files up to date; returns those that changed."""
    changed = [path for path, file in files.items() if not file.is_current(path)]
    for path in changed:
        files[path].write(path)
    return changed
