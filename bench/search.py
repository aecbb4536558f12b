"""Searches of `tune`: the settings that are varied, and their values in each trial.

Trial 0 is the contender itself. Trial i is point i of a Halton sequence (Halton 1960) over the space, a pure function of
both: a longer search contains the shorter one, and every worker can compute every trial.
"""

from __future__ import annotations

from collections.abc import Mapping

from scipy.stats.qmc import Halton

from .contenders import Contender
from .errors import UserError
from .methods.spaces import Log, Space
from .recipe import Recipe
from .settings import convert, spaces, written

SHARED = ("lr", "weight_decay")  # settings of the recipe that are searched for every method that trains
AROUND = 10.0  # from a tenth of the recipe's value to ten times it
OWN = 2  # settings of its own that a method may have searched: the same small number for all


def space(recipe: Recipe) -> dict[str, Space]:
    """The search space of each setting: without those that the contender gives, and shared ones that are 0.

    `UserError` where the method declares more than OWN spaces, or one that leaves the bounds of its setting.
    """
    own = spaces(recipe.method.config_type)
    if len(own) > OWN:
        raise UserError(f"{recipe.method.name} declares {len(own)} settings for tuning, and {OWN} is the most: {', '.join(own)}")
    around = {key: getattr(recipe.training, key) for key in SHARED}
    shared = {key: Log(value / AROUND, value * AROUND) for key, value in around.items() if value > 0}
    return {key: where for key, where in {**shared, **own}.items() if key not in recipe.contender.settings}


def trial(recipe: Recipe, number: int) -> Contender:
    """The contender of trial ``number`` of a search around ``recipe``."""
    if number == 0:
        return recipe.contender
    return recipe.contender.with_defaults(_point(recipe, space(recipe), number))


def _point(recipe: Recipe, searched: Mapping[str, Space], number: int) -> dict[str, str]:
    sequence = Halton(len(searched), scramble=False)
    sequence.fast_forward(number)
    shares = sequence.random(1)[0]
    return {key: _text(recipe, key, where.at(float(u))) for (key, where), u in zip(searched.items(), shares, strict=True)}


def _text(recipe: Recipe, key: str, value: object) -> str:
    """``value`` as in a spec, rounded to three digits, so that names stay short."""
    settings = type(recipe.training) if key in SHARED else recipe.method.config_type
    return written(convert(settings, key, f"{value:.3g}" if isinstance(value, float) else written(value)))


def trials(recipe: Recipe, number: int) -> list[Contender]:
    """The contenders of the first ``number`` trials of a search around ``recipe``; `UserError` where nothing is searched."""
    if not recipe.method.trains:
        raise UserError(f"{recipe.method.name} does not train: there is nothing to tune")
    if not space(recipe):
        raise UserError(f"{recipe.contender} gives all that would be searched: leave one out")
    return [trial(recipe, i) for i in range(number)]
