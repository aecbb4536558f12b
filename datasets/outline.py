"""The contents of a Python file without running it: its docstring, the literals of its classes, whether its imports exist."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLAIN = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Assign, ast.AnnAssign)


@dataclass(frozen=True)
class Outline:
    """The outline of a file. Where it is not ``plain``, only running the file shows for certain what it defines."""

    names: frozenset[str] = frozenset()  # everything that it assigns or defines at its top level
    classes: dict[str, dict[str, Any]] = field(default_factory=dict)  # literals of each, with those of bases in this file
    own: dict[str, dict[str, Any]] = field(default_factory=dict)  # literals of each class alone
    computed: frozenset[str] = frozenset()  # attributes of its classes whose values are no literals
    about: str = ""  # the docstring of the module
    plain: bool = True  # only imports, classes, functions and assignments at its top level
    problem: str = ""  # why it cannot be imported, as far as the outline shows that


def read(path: Path) -> Outline:
    """The outline of the file ``path``."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        return Outline(problem=f"{path} cannot be imported: {type(error).__name__}: {error}")
    missing = next((name for name in _imports(tree.body) if not _exists(name, path)), None)
    nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    own = {name: _literals(node.body) for name, node in nodes.items()}
    return Outline(
        names=frozenset(_names(tree.body)),
        classes={name: _inherited(name, nodes, own) for name in nodes},
        own=own,
        computed=frozenset(one for name, node in nodes.items() for one in _names(node.body) if one not in own[name]),
        about=ast.get_docstring(tree) or "",
        plain=all(isinstance(node, PLAIN) or _is_harmless(node) for node in tree.body),
        problem=f"{path} cannot be imported: it needs {missing}, which is not installed" if missing else "",
    )


def _literals(body: list[ast.stmt]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        try:
            content = ast.literal_eval(node.value)
        except ValueError:
            continue
        if isinstance(target, ast.Name):
            found[target.id] = content
        elif isinstance(target, ast.Tuple) and isinstance(content, tuple):
            found |= {t.id: v for t, v in zip(target.elts, content, strict=False) if isinstance(t, ast.Name)}
    return found


def _names(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def _inherited(name: str, nodes: dict[str, ast.ClassDef], own: dict[str, dict[str, Any]]) -> dict[str, Any]:
    bases = [base.value if isinstance(base, ast.Subscript) else base for base in nodes[name].bases]
    found: dict[str, Any] = {}
    for base in reversed(bases):
        if isinstance(base, ast.Name) and base.id in nodes and base.id != name:
            found |= _inherited(base.id, nodes, own)
    return found | own[name]


def _is_harmless(node: ast.stmt) -> bool:
    """Whether the statement is a docstring or ``if TYPE_CHECKING``."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imports(body: list[ast.stmt]) -> Iterator[str]:
    """Top-level modules and files of the same folder that the file imports."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            yield f".{node.module}"


def _exists(name: str, path: Path) -> bool:
    if name.startswith("."):
        file = path.parent.joinpath(*name[1:].split("."))
        return file.is_dir() or file.with_suffix(".py").is_file()
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
