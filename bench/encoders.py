"""Opens any encoder for evaluation: an export, a timm model with local weights, another project's state dict, a user's class."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from . import own_code, state_dicts
from .backbone import as_timm, check_backbone, described, load_encoder, small_stem
from .errors import UserError, counted, reason
from .folders import expanded

TIMM, FOLDER = "timm:", "local-dir:"
KINDS = (
    "an exported .safetensors, timm:NAME with --weights FILE, timm:local-dir:FOLDER, a state dict with --backbone, "
    "or FILE.py:Class"
)


@dataclass(frozen=True)
class Opened:
    """A network float [B, channels, H, W] -> [B, D] in eval mode, and where it comes from."""

    network: nn.Module
    name: str  # of its row, without --name
    backbone: str
    digest: str  # SHA-256 of the file that its weights come from; of a class also of its source
    channels: int | None = 3  # None: those of the dataset
    size: int | None = None  # side of the images that it was made for; None: any
    said: Sequence[str] = field(default_factory=tuple)  # lines for the user: how its weights were read

    def __post_init__(self) -> None:
        weights = [*self.network.parameters(), *self.network.buffers()]
        if any(map(is_lazy, weights)):
            raise UserError(f"{self.name} has lazy layers, which have no weights before the first image: give their sizes")
        if any(weight.is_meta for weight in weights):
            raise UserError(f"{self.name} has weights on the meta device, which hold no values")
        if not self.name.strip():
            raise UserError("--name is blank: give what the row of the encoder is to be called")


def open_encoder(text: str, backbone: str | None = None, weights: str | Path | None = None) -> Opened:
    """Open the encoder that ``text`` names, with all weights from files; `UserError` says what does not fit."""
    if text.startswith(TIMM):
        return _of_timm(text.removeprefix(TIMM), None if weights is None else expanded(weights), backbone)
    if own_code.parts(text):
        if backbone is not None:
            raise UserError(f"{text} is a backbone itself; leave --backbone out")
        return _of_own_code(text, None if weights is None else expanded(weights))
    path = expanded(text)
    if path.suffix == ".py":
        raise UserError(f"{text} is a file of Python code: write {text}:CLASS, with the name of the network's class in it")
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "there is no such file"
        raise UserError(f"{text!r} is no encoder: {why}; ENCODER is {KINDS}")
    if weights is not None:
        raise UserError(f"--weights goes with timm:NAME or FILE.py:Class; {text} holds weights itself")
    exported = described(path)
    if exported is not None:
        return _of_export(path, exported, backbone)
    if backbone is None:
        raise UserError(f"{text} is no export of this harness: say with --backbone which timm model its state dict is of")
    return _of_state_dict(path, backbone)


def _of_export(path: Path, made: dict, backbone: str | None) -> Opened:
    if backbone is not None and backbone != made["backbone"]:
        raise UserError(f"{path} is a {made['backbone']}, as it says itself; leave --backbone {backbone} out")
    network = load_encoder(path)
    said = (f"exported: {made['backbone']} for {made['channels']} x {made['size']} x {made['size']}, every key taken",)
    return Opened(network, path.name, made["backbone"], _sha(path), made["channels"], made["size"], said)


def _of_timm(name: str, weights: Path | None, backbone: str | None) -> Opened:
    if backbone is not None:
        raise UserError(f"timm:{name} is a backbone itself; leave --backbone out")
    folder = expanded(name.removeprefix(FOLDER))
    if name.startswith(FOLDER) or (name and folder.is_dir()):
        return _of_folder(folder, weights)
    if weights is None:
        raise UserError(f"timm:{name} needs --weights FILE (or timm:local-dir:FOLDER): nothing is downloaded, nothing is random")
    return _of_state_dict(weights, name)


def _of_folder(folder: Path, weights: Path | None) -> Opened:
    if weights is not None:
        raise UserError(f"timm:local-dir:{folder} has its own weights; leave --weights out")
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json: it is no folder of timm's")
    files = [path for name in ("model.safetensors", "pytorch_model.bin") if (path := folder / name).is_file()]
    if not files:
        raise UserError(f"{folder} has neither model.safetensors nor pytorch_model.bin")
    try:
        model = timm.create_model(f"{FOLDER}{folder.absolute()}", pretrained=True, num_classes=0)
    except Exception as error:  # timm's constructors may raise anything
        raise UserError(f"{folder} cannot be loaded by timm: {reason(error)}") from None
    architecture = str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architecture", "unknown"))
    config: Any = model.pretrained_cfg
    channels = int(config.get("input_size", (3,))[0])
    said = (f"timm's folder: {architecture}, loaded by timm",)
    return Opened(model.eval(), folder.name, architecture, _sha(files[0]), channels, said=said)


def _of_own_code(text: str, weights: Path | None) -> Opened:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a class that draws its weights makes the same ones each time
        network = own_code.make(text)
    path, kind = own_code.parts(text) or (Path(text), "")
    said = ("weights: as the class makes them",)
    made = Opened(network.eval(), f"{path.name}:{kind}", kind, own_code.digest(text), None, said=said)
    if weights is None:
        return replace(made, digest=_sha_of(network, made.digest))
    file, state = state_dicts.read(weights), network.state_dict()
    if not state:
        raise UserError(f"{text} has no weights of its own; leave --weights out")
    found = state_dicts.match(file.tensors, state)
    if not found.fits:
        raise UserError(_refusal(found, weights, text))
    network.load_state_dict(state_dicts.taken(found, file.tensors, state), strict=True)
    both = hashlib.sha256(f"{made.digest} {_sha(weights)}".encode()).hexdigest()
    return replace(made, name=weights.name, digest=both, said=(*file.said, found.rule))


def _of_state_dict(path: Path, backbone: str) -> Opened:
    """The state dict in ``path`` as ``backbone``; its shapes decide the number of channels and the stem."""
    if own_code.parts(backbone):
        raise UserError(f"--backbone is a timm model; {path} with a class of your own is: {backbone} --weights {path}")
    check_backbone(backbone)
    file = state_dicts.read(path)
    refused = []
    for channels, small in ((3, False), (3, True), (1, False), (1, True)):
        with torch.device("meta"):
            shape = _timm_model(backbone, channels, small)
        if shape is None:
            continue
        found = state_dicts.match(file.tensors, shape.state_dict())
        if found.fits:
            network = _timm_model(backbone, channels, small)
            assert network is not None
            network.load_state_dict(state_dicts.taken(found, file.tensors, network.state_dict()), strict=True)
            stem = ("stem: 3 x 3, stride 1, no max-pooling, as its shape says",) if small else ()
            bare = _without_missing_layers(network, found.numbers)
            return Opened(network.eval(), path.name, backbone, _sha(path), channels, said=(*file.said, found.rule, *stem, *bare))
        refused.append(found)
    raise UserError(_refusal(min(refused, key=lambda one: one.distance), path, backbone))


def _without_missing_layers(network: nn.Module, numbers: Sequence[int]) -> tuple[str, ...]:
    """Remove a ResNet's ReLU and pooling after its first BatchNorm where the numbers of the children have no gap for them.

    lightly's own ResNet applies that ReLU as a function in its forward, so that `nn.Sequential(*children)` of it has none.
    """
    gone = ("act1", "maxpool")[max(0, numbers[2] - numbers[1] - 1) :] if len(numbers) > 2 else ()
    if not gone or not isinstance(network, timm.models.resnet.ResNet):
        return ()
    for name in gone:
        setattr(network, name, nn.Identity())
    return (f"without {' and '.join(gone)} after bn1: the numbers of the children leave no room for them",)


def _timm_model(name: str, channels: int, small: bool) -> nn.Module | None:
    """The backbone at timm's own input size; None where ``small`` asks for the small stem of a model that is no ResNet."""
    model_name, arguments = as_timm(name, channels, None)
    model = timm.create_model(model_name, pretrained=False, **arguments)
    if not small:
        return model
    return model if small_stem(model) else None


def _refusal(found: state_dicts.Match, path: Path, backbone: str) -> str:
    under = f" under {found.prefix!r}" if found.prefix else ""
    keys, what = (found.missing, "missing or of another shape or kind") if found.missing else (found.surplus, "too many")
    example = f"{keys[0]}{', ...' if len(keys) > 1 else ''}"
    return f"{path} is no state dict of {backbone}: {counted(len(keys), 'key')}{under} {what} ({example})"


def _sha(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha_of(network: nn.Module, source: str) -> str:
    """SHA-256 of a source's digest and of the weights that the class gave itself, which may be from a file that it reads."""
    hasher = hashlib.sha256(source.encode())
    for key, value in network.state_dict().items():
        whole = isinstance(value, torch.Tensor) and value.layout == torch.strided
        hasher.update(key.encode())
        hasher.update(value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes() if whole else repr(value).encode())
    return hasher.hexdigest()
