"""Fills tables into the user's Markdown files, between pairs of markers. Files without markers are not changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

KINDS = ("leaderboard", "sweep", "throughput", "tuning")
START = r"<!-- {kind} {folder}/(?P<name>\S+)(?: columns (?P<columns>[^\n]+))? -->\n"
SECTION = rf"({START})(?:(?!<!-- (?:end )?(?:{'|'.join(KINDS)}) ).)*(<!-- end {{kind}} -->)"  # within it no other marker
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


def open_ended(text: str, out: Path) -> list[str]:
    """The markers for tables of the folder ``out`` that have no end of their own before the next marker."""
    found = []
    for kind in KINDS:
        complete = {match.start() for match in _pattern(SECTION, kind, out).finditer(text)}
        starts = _pattern(START, kind, out).finditer(text)
        found += [match[0].strip() for match in starts if match.start() not in complete]
    return found


def filled(text: str, out: Path, made: Callable[[str, str, str | None], str | None]) -> str:
    """``text`` with the sections of the folder ``out`` replaced by ``made(kind, name, columns)``; None keeps a section as it is.

    ``columns`` is what the marker says behind that word, if anything. A marker without an end is left alone.
    """

    def section(match: re.Match[str], kind: str) -> str:
        content = made(kind, match["name"], match["columns"])
        return match[0] if content is None else f"{match[1]}\n{content}\n\n{match[4]}"

    for kind in KINDS:
        text = _pattern(SECTION, kind, out).sub(partial(section, kind=kind), text)
    return text


def _pattern(form: str, kind: str, out: Path) -> re.Pattern[str]:
    return re.compile(form.format(kind=kind, folder=re.escape(out.absolute().name)), re.DOTALL)
