"""Networks from a user's own file: ``FILE.py:Class``."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import UserError, reason
from .folders import expanded

if TYPE_CHECKING:  # names and digests are read without torch
    from torch import nn

WRITTEN = re.compile(r"(.+\.py):([A-Za-z_]\w*)")


def parts(text: str) -> tuple[Path, str] | None:
    """The file and the class of ``FILE.py:Class``; None for any other text."""
    found = WRITTEN.fullmatch(text)
    return (expanded(found[1]), found[2]) if found else None


def digest(text: str) -> str:
    """SHA-256 of the file; `UserError` where it does not exist."""
    named = parts(text)
    if named is None or not named[0].is_file():
        raise UserError(f"{text}: there is no file {named[0] if named else text}")
    return hashlib.sha256(named[0].read_bytes()).hexdigest()


def make(text: str, **arguments: Any) -> nn.Module:
    """An instance of the class, made with ``arguments`` and `in_usual_layout`; `UserError` where that fails or is no Module."""
    named, source = parts(text), digest(text)
    assert named is not None
    path, kind = named
    try:
        found = getattr(_imported(path, source), kind, None)
        made = None if found is None else found(**arguments)
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise UserError(f"{text}: {reason(error)}") from None
    from torch import nn

    if found is None:
        raise UserError(f"{path} defines no {kind}")
    if not isinstance(made, nn.Module):
        raise UserError(f"{text} makes a {type(made).__name__}, not a torch.nn.Module")
    return in_usual_layout(made)


def in_usual_layout(network: nn.Module) -> nn.Module:
    """``network`` with images in the usual memory layout, on which a ``view`` in its code may rely; see `environment.placed`."""
    import torch

    if isinstance(network, torch.jit.ScriptModule):  # takes no hooks
        network = _around(network)
    usual = torch.contiguous_format
    network.register_forward_pre_hook(lambda _, inputs: tuple(one.clone(memory_format=usual) for one in inputs))
    network.usual_layout = True  # type: ignore[assignment]
    return network


def _around(network: nn.Module) -> nn.Module:
    """A module whose forward is that of ``network``."""
    from torch import nn

    return nn.Sequential(network)


def _imported(path: Path, source: str) -> ModuleType:
    """The module of the file, imported once for each digest ``source``; raises what the file raises."""
    name = f"_own_{path.stem}_{source[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it is run, as pickling and dataclasses expect
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]
