"""Registries: the members that the files of a folder define, and those that installed packages add.

Every file of the folder adds its members without being listed anywhere; a package adds members under an entry point. Names
are known without importing, and a file that cannot be imported is an error only for a command that uses its member.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import DataError
from .foreign import visible
from .outline import Outline, read

T = TypeVar("T")


@dataclass
class Member:
    """A name, the place of its definition, and the function that loads it."""

    name: str
    where: str  # a file, or a package with its version
    load: Callable[[], Any]
    says: dict[str, Any] = field(default_factory=dict)  # attributes that are known without loading it
    package: str = ""  # name and version of the package that adds it; empty for a file of the folder
    problem: str = ""  # why it cannot be loaded, as far as that is known

    @cached_property
    def value(self) -> Any:
        """What `load` returns; `DataError` where the member has a problem, or where `load` raises anything."""
        if not self.problem:
            try:
                return self.load()
            except (Exception, SystemExit) as error:  # a user's file may raise anything
                self.problem = cannot_import(self.where, error)
                raise DataError(self.problem) from error
        raise DataError(self.problem)


class Registry(Mapping[str, T], Generic[T]):
    """The members of a folder and of an entry-point ``group`` by name, in alphabetical order; each is loaded on first access.

    Iteration leaves out members that are known to be broken. `DataError` on access to one of them, or to a name that is
    defined twice.
    """

    def __init__(self, group: str, scan: Callable[[], Iterable[Member]]):
        self.group, self._scan = group, scan

    @cached_property
    def members(self) -> dict[str, Member]:
        """Every member by name, broken ones included."""
        found: dict[str, Member] = {}
        for member in sorted([*self._scan(), *_added(self.group)], key=lambda m: (m.name, bool(m.package), m.where)):
            twin = found.get(member.name)
            if twin is not None:
                problem = f"{member.name} is defined twice, in {twin.where} and in {member.where}: rename one of them"
                member = Member(member.name, f"{twin.where}, {member.where}", member.load, problem=problem)
            found[member.name] = member
        return found

    def broken(self) -> dict[str, str]:
        """The names that are known so far to be broken, and why."""
        return {name: member.problem for name, member in self.members.items() if member.problem}

    def loaded(self) -> dict[str, T]:
        """Load every member; those that can be loaded, by name. The others are `broken` from then on."""
        found = {}
        for name in list(self):
            with contextlib.suppress(DataError):
                found[name] = self[name]
        return found

    def package(self, name: str) -> str:
        """Name and version of the package that adds a member; empty for a file of the folder."""
        return self.members[name].package if name in self.members else ""

    def describe(self, name: str, attributes: Iterable[str]) -> dict[str, Any]:
        """The ``attributes`` of a member that it has, read from its file without loading where that is possible."""
        if says := self.members[name].says:
            return says
        value = self[name]
        return {key: getattr(value, key) for key in attributes if hasattr(value, key)}

    def __getitem__(self, name: str) -> T:
        return self.members[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.members.keys() - self.broken().keys()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in self.members


def _added(group: str) -> Iterator[Member]:
    for point in entry_points(group=group):
        yield _member(point)


def _member(point: EntryPoint) -> Member:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "an installed package"
    return Member(point.name, f"{point.value} of {package}", point.load, package=package)


def of_folder(folder: Path, members: Callable[[Path, Outline], Iterable[Member]]) -> Iterator[Member]:
    """What ``members`` finds in each file of ``folder``; a file that cannot be imported is one broken member of its name."""
    for path in visible(folder, "*.py"):
        outline = read(path)
        try:
            found = [_broken(path, outline.problem)] if outline.problem else list(members(path, outline))
        except (Exception, SystemExit) as error:  # a user's file may raise anything
            found = [_broken(path, cannot_import(str(path), error))]
        yield from found


def classes(
    package: str, base: Callable[[], type[Any]], needed: Collection[str], listed: Collection[str]
) -> Callable[[Path, Outline], Iterator[Member]]:
    """Finds the subclasses of ``base()`` with a ``name`` of their own in the files of ``package``, for `of_folder`.

    Their attributes, ``needed`` by every member or ``listed`` where they are set, are read from the file. It is imported only
    where it runs code at its top level, or where one of these attributes is no literal.
    """

    def found(path: Path, outline: Outline) -> Iterator[Member]:
        module = f"{package}.{path.stem}"
        if outline.plain and not outline.computed & {*needed, *listed}:
            for kind, says in outline.classes.items():
                if "name" in outline.own[kind] and says.keys() >= set(needed):
                    yield Member(says["name"], str(path), _class(module, kind, base), {"__doc__": outline.about} | says)
            return
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, type) and issubclass(value, base()) and "name" in vars(value) and value.__module__ == module:
                yield Member(vars(value)["name"], str(path), given(value))

    return found


def cannot_import(where: str, error: BaseException) -> str:
    return f"{where} cannot be imported: {type(error).__name__}: {error}"


def _broken(path: Path, problem: str) -> Member:
    return Member(path.stem, str(path), given(None), problem=problem)


def given(value: Any) -> Callable[[], Any]:
    """The loader of a value that exists already."""
    return lambda: value


def attribute(module: str, name: str) -> Callable[[], Any]:
    """The loader of the attribute ``name`` of ``module``."""
    return lambda: getattr(importlib.import_module(module), name)


def _class(module: str, name: str, base: Callable[[], type[Any]]) -> Callable[[], Any]:
    """As `attribute`, of a class; the loader raises TypeError where it is no subclass of ``base()``."""

    def load() -> Any:
        found = attribute(module, name)()
        if not issubclass(found, base()):
            raise TypeError(f"{name} is no subclass of {base().__name__}")
        return found

    return load


MANY = 60  # names that a hint lists


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for an unknown name: the known names nearest to it, else all of them."""
    some = list(names)
    plain = {_plain(known): known for known in reversed(some)}
    near = [plain[found] for found in difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.5)]
    near = [plain[_plain(name)]] if _plain(name) in plain else near
    more = f" and {len(some) - MANY} more" if len(some) > MANY else ""
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(some[:MANY])}{more}"


def _plain(name: str) -> str:
    """The form in which names are compared: SimCLR as simclr, CIFAR-100 as cifar100."""
    return name.lower().replace("-", "").replace("_", "")
