"""Maps the keys of other projects' checkpoints to the keys of a backbone.

The rule: remove the first prefix in the file under which every key of the backbone is found with its shape. Numbered
children (`backbone.0.weight`, from `nn.Sequential(*children)`) are the backbone's children in their order. Surplus keys in
the backbone's own components are an error; other components (heads, queues) are left out and listed.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from .errors import UserError, reason

Tensors = Mapping[str, Tensor]
WRAPPERS = ("state_dict", "model", "model_state_dict", "network", "teacher", "student")
COUNTS = "num_batches_tracked"  # of BatchNorm: not used in eval mode, and absent from old files


class File(NamedTuple):
    """The tensors of a checkpoint by their keys, and lines for the user on what else the file holds."""

    tensors: dict[str, Tensor]
    said: Sequence[str] = ()


def read(path: Path) -> File:
    """The tensors of a PyTorch or safetensors checkpoint; no code in it is run. `UserError` if it has none."""
    if not path.is_file():
        raise UserError(f"{path} is no file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles that other versions wrote
            found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        why = next((line for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), "")
        raise UserError(
            f"{path} holds more than tensors, and would run code when loaded ({why.strip()[:120] or 'its pickle is refused'}); "
            "save its state_dict alone"
        ) from None
    except Exception as error:  # what a file of junk raises is up to its bytes
        raise UserError(f"{path} is no checkpoint that can be read: {reason(error)}") from None
    said = []
    for _ in WRAPPERS:  # each at most once, as a dict may hold itself
        key = next((k for k in WRAPPERS if isinstance(found, dict) and isinstance(found.get(k), dict)), None)
        if key is not None:
            if rest := ", ".join(f"{name} ({count})" for name, count in _networks(found).items() if name != key):
                said.append(f"{key!r} of the file is read; other networks in it are left out: {rest}")
            found = found[key]
    if not (tensors := _tensors(found)):
        networks = _networks(found)
        hint = f"; tensors are under {', '.join(map(repr, networks))}: save one of these alone" if networks else ""
        raise UserError(f"{path} holds no state dict{hint}")
    return File(tensors, said)


def _tensors(found: Any) -> dict[str, Tensor]:
    return {str(key): value for key, value in found.items() if isinstance(value, Tensor)} if isinstance(found, dict) else {}


def _networks(found: Any) -> dict[str, int]:
    """The entries that are state dicts themselves, and how many tensors each has."""
    entries = found.items() if isinstance(found, dict) else ()
    return {str(key): count for key, value in entries if (count := len(_tensors(value)))}


@dataclass(frozen=True)
class Match:
    """A mapping of a file's keys to a backbone's: ``keys`` has the file's key for each key of the backbone."""

    prefix: str
    numbered: bool
    keys: Mapping[str, str]
    missing: list[str] = field(default_factory=list)  # keys of the backbone that the file lacks, or has in another shape or kind
    surplus: list[str] = field(default_factory=list)  # keys of the file in the backbone's components that it lacks
    numbers: tuple[int, ...] = ()  # of the numbered children that hold tensors; gaps are children that hold none
    left_out: Mapping[str, int] = field(default_factory=dict)  # other components of the file, and how many keys each has

    @property
    def fits(self) -> bool:
        return self.distance == 0

    @property
    def distance(self) -> int:
        return len(self.missing) + len(self.surplus)

    @property
    def rule(self) -> str:
        """What was done, as text for the user."""
        what = f"prefix {self.prefix!r} removed" if self.prefix else "no prefix"
        what += ", numbered children taken in their order" if self.numbered else ""
        rest = ", ".join(f"{name} ({count})" for name, count in self.left_out.items())
        return f"{len(self.keys)} keys taken: {what}; {f'left out: {rest}' if rest else 'nothing left out'}"


def match(tensors: Tensors, wanted: Tensors) -> Match:
    """The first match that fits the shapes of ``wanted``, else the nearest one."""
    found = [_under(tensors, wanted, *way) for way in _ways(tensors, wanted)]
    none = Match("", False, {}, missing=list(wanted))
    near = [one for one in found if one.keys]
    return next((one for one in found if one.fits), min(near, key=lambda one: one.distance, default=none))


def _ways(tensors: Tensors, wanted: Tensors) -> Iterator[tuple[str, bool]]:
    """Possible prefixes of the backbone in the order of the file, each with and without numbered children."""
    first = next(iter(wanted))
    for start, numbered in ((first, False), ("0." + first.partition(".")[2], True)):
        yield from ((key[: len(key) - len(start)], numbered) for key in tensors if key == start or key.endswith("." + start))


def _under(tensors: Tensors, wanted: Tensors, prefix: str, numbered: bool) -> Match:
    heads = list(dict.fromkeys(key.partition(".")[0] for key in wanted))
    inside = {_plain(key.removeprefix(prefix)): key for key in tensors if key.startswith(prefix)}
    numbers = _numbers(inside) if numbered else ()
    if numbered:
        inside = _named(inside, heads, numbers)
    keys = {key: inside[key] for key in wanted if key in inside and _fits(tensors[inside[key]], wanted[key])}
    missing = [key for key in wanted if key not in keys and not (key.endswith(COUNTS) and key not in inside)]
    surplus = [key for key in inside if key not in wanted and key.partition(".")[0] in heads]
    used = {*keys.values(), *(inside[key] for key in (*missing, *surplus) if key in inside)}
    depth = prefix.count(".")
    rest = Counter(_component(key, depth + key.startswith(prefix) if depth else 1) for key in tensors if key not in used)
    return Match(prefix, numbered, keys, missing, surplus, numbers, rest)


def _fits(tensor: Tensor, wanted: Tensor) -> bool:
    """Whether the tensor has the shape of ``wanted``, values of its kind (quantised weights do not), and all of them."""
    kind = tensor.is_floating_point() or not wanted.is_floating_point()
    return tensor.shape == wanted.shape and kind and tensor.layout == torch.strided and not tensor.is_meta


def _plain(key: str) -> str:
    """The key in torchvision's and timm's form: lightly calls a block's `downsample` `shortcut`."""
    return re.sub(r"(^|\.)shortcut\.", r"\1downsample.", key)


def _numbers(inside: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(sorted({int(head) for key in inside if (head := key.partition(".")[0]).isdecimal()}))


def _named(inside: Mapping[str, str], heads: list[str], numbers: tuple[int, ...]) -> dict[str, str]:
    """The keys with the numbers of children replaced by the names of the backbone's children; surplus numbers stay."""
    names = {str(number): name for number, name in zip(numbers, heads, strict=False)}
    return {f"{names.get(head, head)}.{rest}": full for key, full in inside.items() for head, _, rest in [key.partition(".")]}


def _component(key: str, depth: int) -> str:
    return ".".join(key.split(".")[:depth])


def taken(found: Match, tensors: Tensors, wanted: Tensors) -> dict[str, Tensor]:
    """The complete state dict of the backbone; `num_batches_tracked` that an old file lacks are 0."""
    return {key: tensors[found.keys[key]] if key in found.keys else torch.zeros_like(wanted[key]) for key in wanted}
