"""Records with one value changed, as an editor or a script might."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from bench.records import Record
from bench.reporting import leaderboard, page, plots, stale, tables

GONE = object()
WRONG = [GONE, None, True, -1, 97.5, 10**400, "text", "\ud800", "", [], [3], {}, {"a": None}]
Place = tuple[Any, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The path of every value inside; of a list that of the first one."""
    yield from [at] if at else []
    inside = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
    for key, one in inside:
        yield from places(one, (*at, key))


def changed(content: Any, place: Place, value: Any) -> Any:
    """A copy of ``content`` with another value at ``place``, or without it where the value is GONE."""
    content = copy.deepcopy(content)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


def shown(found: list[Record]) -> None:
    """All that is made of records, as `report` makes it."""
    stale.reasons(found)
    for board in leaderboard.build(found):
        tables.table(board).to_markdown(index=False)
        tables.to_best(board)
        for figure in plots.of_board(board).values():
            assert figure.digest
    boards = leaderboard.build(found)
    tables.numbers(boards), tables.pair_numbers(boards)
    json.dumps(page.content(boards), allow_nan=False).encode()
