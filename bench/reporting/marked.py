"""Fills tables into the user's Markdown files, between pairs of markers. Files without markers are not changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

KINDS = ("leaderboard", "sweep", "throughput", "tuning")
SECTION = r"(<!-- {kind} {folder}/(?P<name>\S+)(?: columns (?P<columns>[^\n]+))? -->\n).*?(<!-- end {kind} -->)"
MARKERS = tuple(f"<!-- {kind} ".encode() for kind in KINDS)


def read(out: Path) -> tuple[dict[Path, str], list[str]]:
    """Texts of the Markdown files with a marker, in the parent of ``out`` and its ``docs``; a line for each unreadable file."""
    texts, problems = {}, []
    beside = out.absolute().parent
    for path in sorted([*beside.glob("*.md"), *beside.glob("docs/*.md")]):
        if path.name.startswith(".") or not path.is_file():  # a hidden file of a system or editor, or no file
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror or error}); it is not changed")
            continue
        if not any(marker in content for marker in MARKERS):
            continue
        try:
            texts[path] = content.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            problems.append(f"{path} has markers for tables and is no UTF-8 text; it is not changed")
    return texts, problems


def filled(text: str, out: Path, made: Callable[[str, str, str | None], str | None]) -> str:
    """``text`` with the sections of the folder ``out`` replaced by ``made(kind, name, columns)``; None keeps a section as it is.

    ``columns`` is what the marker says behind that word, if anything.
    """

    def section(match: re.Match[str], kind: str) -> str:
        content = made(kind, match["name"], match["columns"])
        return match[0] if content is None else f"{match[1]}\n{content}\n\n{match[4]}"

    for kind in KINDS:
        pattern = re.compile(SECTION.format(kind=kind, folder=re.escape(out.absolute().name)), re.DOTALL)
        text = pattern.sub(partial(section, kind=kind), text)
    return text
