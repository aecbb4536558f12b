"""One `tune` command: the same number of trials for every method on the dev form of a track, then the winners on the track.

A trial is an ordinary cell of an ordinary contender: it is skipped where it has a record, shared among workers, resumed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rich.console import Console

from .. import records, search
from ..budget import Budget
from ..contenders import Contender
from ..datasets.registry import open_splits, track_of
from ..datasets.spec import Spec
from ..errors import UserError
from ..limits import FIRST_TRIAL_SEED, MOST_SEEDS, MOST_TRIALS
from ..recipe import Recipe, resolve
from ..reporting import leaderboard, searches
from ..reporting.searches import Search
from ..settings import spaces
from . import session
from .cancel import Request
from .options import Options
from .plan import tried
from .selection import find_method


@dataclass(frozen=True)
class Tuning:
    """What is tuned and how long: ``options`` have the contenders, tracks, budget and seeds of a trial."""

    options: Options
    trials: int
    final_budget: Budget
    final_seeds: int


def run(tuning: Tuning, console: Console, dry_run: bool, timed: bool = False) -> int:
    """Search on every track, then run default and winner there; returns the exit code of the winners' cells.

    A trial that fails counts as the worst. `UserError` before anything is written.
    """
    if not 2 <= tuning.trials <= MOST_TRIALS:
        raise UserError(f"--trials must be from 2, as the first is the method as it is, to {MOST_TRIALS}")
    if not 1 <= tuning.final_seeds <= MOST_SEEDS:
        raise UserError(f"--final-seeds must be from 1 to {MOST_SEEDS}")
    if any(spec.dev for spec in tuning.options.specs):
        raise UserError("--datasets takes the tracks themselves: the trials run on their dev form")
    started = partial(session.run, console=console, dry_run=dry_run, timed=timed, request=Request(tuning.options.out))
    bases = {spec: _bases(tuning, spec, console) for spec in tuning.options.specs}
    return max(_tune(tuning, spec, found, console, dry_run or timed, started) for spec, found in bases.items())


def _tune(
    tuning: Tuning, spec: Spec, bases: Sequence[Recipe], console: Console, first: bool, started: Callable[[Options], int]
) -> int:
    """Search on one track, then compare there; ``first`` says that nothing is computed, ``started(options)`` runs."""
    lists = [search.trials(recipe, tuning.trials) for recipe in bases]
    contenders = [lists[i][number] for number in range(tuning.trials) for i in range(len(lists))]  # the methods in turn
    trials = replace(
        tuning.options, specs=[replace(spec, dev=True)], contenders=contenders, first_seed=FIRST_TRIAL_SEED, asked_for=(), said=()
    )
    started(trials)
    found = searches.of_boards(leaderboard.build(records.read_all(tuning.options.out)[0]))
    winners = [_winner(tuning, recipe, found, console, first) for recipe in bases]
    compared = [one for recipe, winner in zip(bases, winners, strict=True) for one in (recipe.contender, winner)]
    final = replace(tuning.options, specs=[spec], contenders=compared, budget=tuning.final_budget, seeds=tuning.final_seeds)
    code = started(replace(final, said=()))
    if not first:
        console.print(f"default and tuned side by side: {tuning.options.out / 'tuning.md'}", markup=False, soft_wrap=True)
    return code


def _bases(tuning: Tuning, spec: Spec, console: Console) -> list[Recipe]:
    """The chosen contenders on the dev form of ``spec`` that suit the backbone; says what is searched of each."""
    options, dev = tuning.options, replace(spec, dev=True)
    splits, track = open_splits(dev, options.conditions.data_root), track_of(dev, options.conditions.data_root)
    found: dict[str, Recipe] = {}
    for one in options.contenders:
        method = find_method(one.method)
        if not method.trains and one.method not in options.asked_for:
            continue  # of `all`, or of a wildcard
        resolved = partial(resolve, dev, track, len(splits.train), method, options.budget, options.backbone)
        recipe = resolved(one.settings)
        for key in sorted(search.space(recipe).keys() & one.settings.keys()):
            what = f"{key}={one.settings[key]} is the default of {one.method}"
            raise UserError(f"{what}, so that its search would vary it: leave {key} out, or fix another value")
        different = {str(resolved(trial.settings).contender) for trial in search.trials(recipe, tuning.trials)}
        if len(different) < tuning.trials:
            what = f"the first {tuning.trials} trials of {recipe.contender} are only {len(different)} different ones"
            raise UserError(f"{what}: leave more settings to the search, or lower --trials")
        found[str(recipe.contender)] = recipe
    if not found:
        raise UserError("none of the chosen methods trains: there is nothing to tune")
    suited, left_out = tried(list(found.values()), splits, options.asked_for)
    for line in [*left_out, *(f"{recipe.contender}: {describe(recipe)}" for recipe in suited)]:
        console.print(line, markup=False, soft_wrap=True)
    return suited


def describe(recipe: Recipe) -> str:
    """What is searched, in words; it says so where the method declares no settings of its own for it."""
    where = search.space(recipe)
    alone = "" if spaces(recipe.method.config_type) else f"{recipe.method.name} declares no settings of its own; "
    return alone + "; ".join(f"{key} {space}" for key, space in where.items())


def _winner(tuning: Tuning, recipe: Recipe, known: Sequence[Search], console: Console, foreseen: bool) -> Contender:
    """The best of the trials, by the searches ``known``; where it is ``foreseen`` and they are not complete, trial 1 instead."""
    place = (str(replace(recipe.spec, dev=False)), recipe.backbone, str(recipe.budget), str(recipe.contender))
    found = [one for one in known if (one.track, one.backbone, one.budget, one.base) == place]
    complete = bool(found) and len(found[0].trials) >= tuning.trials
    if foreseen and not complete:
        console.print(f"{recipe.contender}: trial 1 stands for the winner, which is not known yet", markup=False, soft_wrap=True)
        return search.trial(recipe, 1)
    if not complete:
        what = f"{len(found[0].trials) if found else 'none'} of the {tuning.trials} trials of {recipe.contender}"
        raise UserError(f"{what} have a record of today's code: `list results --stale` says why, --on-existing stale renews them")
    of = found[0].first(tuning.trials)
    number = [trial.contender for trial in of.trials].index(of.winner)
    won = f"trial {number} of 0 to {len(of.trials) - 1} won with {100 * of.trials[number].accuracy:.2f}: {of.winner}"
    lost = "every trial failed or collapsed; the default settings stay"
    console.print(f"{of.base}: {won if not of.trials[number].failed else lost}", markup=False, soft_wrap=True)
    return search.trial(recipe, number)
