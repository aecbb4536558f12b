"""Markdown from records alone: ``<out>/leaderboard.md``, and the sections of Markdown files beside ``<out>`` that name it."""

from __future__ import annotations

import re
from pathlib import Path

from . import leaderboard, records

SECTION = r"(<!-- leaderboard {folder}/(?P<track>\S+) -->\n).*?(<!-- end leaderboard -->)"
LEGEND = (
    "Accuracy in percent on the test split: mean over n seeds ± the half width of its 95% interval (Student). "
    "**Bold**: not significantly different from the best (t-test paired by seed, 5%); nothing is claimed below 3 seeds. "
    "images/s counts images (two views each) of training, detection included; detection is its share of training time. "
    "Costs are medians over seeds on {devices}. – not measured or not applicable."
)


def render(out: Path) -> tuple[dict[Path, str], list[str]]:
    """Every Markdown file that follows from the records in ``out``, and a line for each unreadable record."""
    found, problems = records.read_all(out)
    boards = leaderboard.build(found)
    devices = sorted({r.environment.get("device", "an unknown machine") for r in found})
    legend = LEGEND.format(devices=" and ".join(devices) or "no machine yet")
    texts = {board.title: _markdown(board) for board in boards}
    whole = [
        "# Leaderboards",
        "",
        "Made by `python -m bench report` from the records beside this file; do not edit.",
        "",
        legend,
        "",
    ]
    for board in boards:
        whole += [f"## {board.title}", "", texts[board.title], ""]
    files = {out / "leaderboard.md": "\n".join(whole).rstrip() + "\n"}

    def section(match: re.Match[str]) -> str:
        chosen = [b for b in boards if b.track == match["track"]]
        body = "\n\n".join(f"**{b.title}**\n\n{texts[b.title]}" for b in chosen)
        return f"{match[1]}\n{body}\n\n{legend}\n\n{match[3]}"

    marked = re.compile(SECTION.format(folder=re.escape(out.absolute().name)), re.DOTALL)
    for path in sorted(out.absolute().parent.glob("*.md")):
        text = path.read_text()
        if marked.search(text):
            files[path] = marked.sub(section, text)
    return files, problems


def _markdown(board: leaderboard.Leaderboard) -> str:
    return leaderboard.table(board).to_markdown(index=False, disable_numparse=True)


def outdated(files: dict[Path, str]) -> list[Path]:
    """Files whose text on disk is not what the records say."""
    return [path for path, text in files.items() if not path.exists() or path.read_text() != text]


def write(files: dict[Path, str]) -> list[Path]:
    """Bring files up to date; returns those that changed."""
    changed = outdated(files)
    for path in changed:
        records.write_atomically(path, files[path])
    return changed
