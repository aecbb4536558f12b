"""Contenders: a method with its settings, written as a method spec; the settings are part of the contender's name.

``simclr``, ``simclr:temperature=0.5``, ``ifnd_elim:base=simclr,clusters=100+250``, ``moco:lr=0.12,batch_size=256``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from .datasets.spec import split_specs
from .errors import UserError

MAKES = "a method spec is NAME or NAME:key=value,key=value, such as simclr:temperature=0.5,batch_size=256"
LONGEST = 200  # bytes of a spec, as it is the name of a folder


@dataclass(frozen=True)
class Contender:
    """A method's name and the settings that differ from its defaults, as text; ``str()`` sorts them."""

    method: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        chosen = ",".join(f"{key}={value}" for key, value in sorted(self.settings.items()))
        return f"{self.method}:{chosen}" if chosen else self.method

    def __hash__(self) -> int:
        return hash(str(self))

    def with_defaults(self, settings: Mapping[str, str]) -> Contender:
        """This contender with ``settings`` added where it does not set them itself."""
        return Contender(self.method, {**settings, **self.settings})

    def grid(self) -> list[Contender]:
        """One contender for each combination of the values of ``a|b|c``; the last key varies fastest."""
        choices = [[(key, value.strip()) for value in text.split("|")] for key, text in self.settings.items()]
        return [Contender(self.method, dict(chosen)) for chosen in product(*choices)]


def parse_contender(text: str) -> Contender:
    """Parse a method spec; its values are not checked. `UserError` says what would be right."""
    name, colon, rest = text.strip().partition(":")
    settings: dict[str, str] = {}
    for part in rest.split(",") if colon else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not all(choice.strip() for choice in value.split("|")):
            raise UserError(f"cannot read {text.strip()!r}: {MAKES}")
        if key in settings:
            raise UserError(f"cannot read {text.strip()!r}: it gives {key} twice; {key}=a|b makes one contender of each")
        settings[key] = value
    if "," in name:  # simclr,temperature=0.5
        raise UserError(f"cannot read {text.strip()!r}: {MAKES}; did you mean {name.replace(',', ':', 1)}?")
    return Contender(name.strip(), settings)


def parse_contenders(text: str) -> list[Contender]:
    """Parse a comma-separated list of method specs; names may have wildcards, and values ``|``."""
    return [parse_contender(part) for part in split_specs(text)]
