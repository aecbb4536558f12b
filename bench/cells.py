"""Cells: their identity, their paths, and the order in which a run takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from .errors import UserError
from .recipe import Recipe

OnExisting = Literal["skip", "rerun", "failed", "stale"]


@dataclass(frozen=True)
class Cell:
    """The unit that is run, skipped, retried and recorded."""

    recipe: Recipe
    seed: int

    @cached_property
    def folder(self) -> Path:
        """Its place below the results or the runs folder, without the seed."""
        return Path(*(escaped(part) for part in (*self.board, str(self.recipe.contender))))

    @property
    def board(self) -> tuple[str, str, str]:
        """The leaderboard it belongs to: track, backbone, budget."""
        return str(self.recipe.spec), self.recipe.backbone, str(self.recipe.budget)

    @property
    def record_path(self) -> Path:
        return self.folder / f"seed{self.seed}.json"

    @property
    def checkpoint_path(self) -> Path:
        return self.folder / f"seed{self.seed}.checkpoint"

    @property
    def encoder_path(self) -> Path:
        return self.folder / f"seed{self.seed}.safetensors"

    def before(self, path: Path) -> Path:
        """The place of ``path`` in former versions, which named the folder of a contender by its method alone."""
        return path.parent.with_name(escaped(self.recipe.method.name)) / path.name

    def identity(self, data_fingerprint: str) -> str:
        """The identity of the cell on data of this fingerprint; it can resume only from checkpoints of the same identity."""
        return f"{self.recipe.hash()}-{self.seed}-{data_fingerprint[:16]}"

    def __str__(self) -> str:
        return " / ".join([*self.board, str(self.recipe.contender), f"seed {self.seed}"])


def escaped(part: str) -> str:
    """``part`` as the name of one folder: without separators, and not hidden. `UserError` where it is no plain text."""
    if not part.isprintable():
        raise UserError(
            f"{part!a} cannot be a part of a record's path: it has letters that are not printable; choose another name"
        )
    name = quote(part, safe="=,+")
    return "%2E" + name[1:] if name.startswith(".") else name


def order(recipes: Sequence[Recipe], seeds: range) -> list[Cell]:
    """All cells, seed by seed, so that an interrupted run has computed about as many seeds of every contender."""
    return [Cell(recipe, seed) for seed in seeds for recipe in recipes]
