"""Guesses what a command line that cannot be parsed was meant to be."""

from __future__ import annotations

import re
from collections.abc import Sequence


def hint(message: str, arguments: Sequence[str]) -> str:
    """``message`` of the parser, with what would be right where that is known."""
    message = message.replace("Value error, ", "")  # of the parser's parser
    told = _surplus(message, arguments) or _early_option(message, arguments) or _seeds(message, arguments)
    return f"{message.rstrip('. ')}: {told}" if told else message


def _surplus(message: str, arguments: Sequence[str]) -> str:
    """``run simclr``, or a list whose comma was followed by a space."""
    if "unexpected extra argument" not in message or "run" not in arguments:
        return ""
    before = arguments[arguments.index("run") + 1 :]
    broken = next((i for i, text in enumerate(before[:-1]) if text.endswith(",") and not before[i + 1].startswith("-")), None)
    if broken is not None:
        rest = [text for text in before[broken:] if not text.startswith("-")]
        return f"write a list without spaces or in quotes: '{' '.join(rest)}'"
    named = re.search(r"extra argument\S* \(([^ )]+)", message)
    return f"methods go behind their flag: run --methods {named[1] if named else 'NAME'}"


def _early_option(message: str, arguments: Sequence[str]) -> str:
    """``--dry-run run``."""
    commands = [text for text in arguments if not text.startswith("-")]
    if "No such option" not in message or not arguments or not arguments[0].startswith("-") or not commands:
        return ""
    return f"options go behind the command: {commands[0]} {arguments[0]}"


def _seeds(message: str, arguments: Sequence[str]) -> str:
    if "--seeds" not in message or "--seeds" not in arguments:
        return ""
    given = arguments[arguments.index("--seeds") + 1 :][:1]
    parts = given[0].split(",") if given else []
    return f"it is how many: --seeds {len(parts)} runs seeds 0 to {len(parts) - 1}" if len(parts) > 1 else ""
