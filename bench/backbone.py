"""Backbones by their timm names, with a stem that fits small images; saved and loaded as safetensors."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any, TypedDict, cast

import timm
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from . import exported, own_code
from .errors import UserError
from .methods.base import Encoder, Method
from .settings import nearest
from .storage import write_atomically
from .validation import Count, check_of

SMALL = 64  # below this side the first layers keep the resolution: SimCLR B.9
STEM = "small_stem."  # prefix of the keys of an exported small stem; see `exported`
TINY = 28  # below this side a deep stem keeps the resolution too


def check_backbone(name: str) -> None:
    """`UserError` with the nearest names unless timm has a backbone of this name, or a `base_transformer` of it.

    ``FILE.py:Class`` is a class of the user's own, made as ``Class(channels=..., size=...)``; the file must be there.
    """
    if own_code.parts(name):
        own_code.digest(name)
    elif name not in timm.list_models() and base_transformer(name) is None:
        raise UserError(f"unknown backbone {name!r}: {nearest(name, timm.list_models())}")


def base_transformer(name: str) -> tuple[str, int] | None:
    """timm's vision transformer and the patch size that ``name`` stands for: `vit_tiny_patch4_32` is
    `vit_tiny_patch16_224` with patches of 4 pixels. None where timm has ``name`` itself, or no such transformer.
    """
    parts = re.fullmatch(r"(vit_[a-z]+)_patch(\d+)_\d+", name)
    if name in timm.list_models() or parts is None or f"{parts[1]}_patch16_224" not in timm.list_models():
        return None
    return f"{parts[1]}_patch16_224", int(parts[2])


def build_backbone(name: str, channels: int, size: int) -> Encoder:
    """A backbone without classifier, timm's or ``FILE.py:Class``: float [B, channels, size, size] -> [B, num_features].

    Below 64 pixels a ResNet's stem is one 3 x 3 convolution of stride 1 without max-pooling. A deep stem (three
    convolutions) has no max-pooling, and below 28 pixels no stride either: at 32 pixels the stride costs little
    resolution, and with it `test_resnet` takes 11 M multiply-adds a view instead of 43.
    `UserError` where the backbone cannot take such images.
    """
    check_backbone(name)
    if own_code.parts(name):
        return _own(name, channels, size)
    model_name, arguments = as_timm(name, channels, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = timm.create_model(model_name, pretrained=False, **arguments)
    except Exception as error:  # timm's constructors may raise anything
        raise UserError(f"backbone {name!r} cannot take images of {channels} x {size} x {size}: {error}") from None
    if has_small_stem(model, size):
        _small_stem(model, size)
    return cast(Encoder, model)


def _own(name: str, channels: int, size: int) -> Encoder:
    made = own_code.make(name, channels=channels, size=size)
    if not isinstance(getattr(made, "num_features", None), int):
        raise UserError(f"{name} has no num_features: the whole number of features that it gives for an image")
    return cast(Encoder, made)


def as_timm(name: str, channels: int, size: int | None) -> tuple[str, dict[str, Any]]:
    """The name and arguments for ``timm.create_model``, without the stem; at timm's own input size where ``size`` is None."""
    base = base_transformer(name)
    model, patch = (name, {}) if base is None else (base[0], {"patch_size": base[1]})
    arguments: dict[str, Any] = {"num_classes": 0, "in_chans": channels}
    if size is not None and _is_made_for_one_size(model):
        arguments["img_size"] = size
    return model, arguments | patch


def _is_made_for_one_size(model: str) -> bool:
    usual = timm.get_pretrained_cfg(model, allow_unregistered=True)
    return bool(usual and usual.fixed_input_size)


def has_small_stem(model: nn.Module, size: int) -> bool:
    """Whether the backbone has the stem for small images instead of timm's."""
    return size < SMALL and isinstance(model, timm.models.resnet.ResNet)


def small_stem(model: nn.Module) -> bool:
    """Give a ResNet the stem for images of 28 to 63 pixels; returns False for other models, unchanged."""
    if isinstance(model, timm.models.resnet.ResNet):
        _small_stem(model, TINY)
        return True
    return False


def _small_stem(model: Any, size: int) -> None:
    first = model.conv1
    if isinstance(first, nn.Sequential):
        cast(nn.Conv2d, first[0]).stride = (1, 1) if size < TINY else (2, 2)
    else:
        model.conv1 = nn.Conv2d(first.in_channels, first.out_channels, 3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()


def save_encoder(encoder: nn.Module, path: Path, name: str, channels: int, size: int, source: str = "") -> None:
    """Export an encoder's parameters and buffers, with the metadata that `exported.load` needs to rebuild it.

    ``source`` is the digest of a user's own file when the encoder was made, by default as it is now. The keys of a stem for small
    images have a prefix: its shapes may equal those of timm's stem, which is another function.
    """
    if own_code.parts(name):
        about = {"backbone": name, "channels": channels, "size": size, "source": source or own_code.digest(name)}
        own = {key: value.detach().cpu().contiguous() for key, value in encoder.state_dict().items()}
        write_atomically(path, save(own, metadata={"encoder": json.dumps(about)}))
        return
    small = has_small_stem(encoder, size)
    tensors = {
        STEM + key if small and key.startswith("conv1.") else key: value.detach().cpu().contiguous()
        for key, value in encoder.state_dict().items()
    }
    model, arguments = as_timm(name, channels, size)
    made = {"backbone": name, "channels": channels, "size": size, "model": model, "arguments": arguments}
    made["layers"] = _stem_layers(encoder) if small else []
    # one key of metadata, as safetensors writes several in arbitrary order
    write_atomically(path, save(tensors, metadata={"encoder": json.dumps(made)}))


def _stem_layers(model: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """The layers in which a small stem differs from timm's: name, class in torch.nn, arguments."""
    name, conv = ("conv1.0", model.conv1[0]) if isinstance(model.conv1, nn.Sequential) else ("conv1", model.conv1)
    keys = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
    return [(name, "Conv2d", {key: getattr(conv, key) for key in keys} | {"bias": False}), ("maxpool", "Identity", {})]


class _Always(TypedDict):
    backbone: str
    channels: Count
    size: Count


class Described(_Always, total=False):
    """The metadata of an exported encoder; the optional ones depend on its kind and age."""

    model: str
    arguments: dict[str, Any]
    layers: list[Any]
    source: str


DESCRIBED = check_of(Described)


def described(path: str | Path) -> dict[str, Any] | None:
    """The metadata of an exported encoder, see `Described`; None for any other file. `UserError` where they are damaged."""
    try:
        with safe_open(path, "pt") as file:
            made = json.loads((file.metadata() or {})["encoder"])
    except (SafetensorError, KeyError, ValueError, OSError):
        return None
    if (why := DESCRIBED(made)) is not None:
        raise UserError(f"{path} is damaged: its metadata{why}")
    return made


def load_encoder(path: str | Path) -> Encoder:
    """The exported encoder in eval mode, loaded strictly: the keys of the file and of the model are the same.

    `UserError` where the file is no export or damaged, or where the user's own file that it was made by has changed.
    """
    made = described(path)
    if made is None:
        raise UserError(f"{path} is no exported encoder" if Path(path).is_file() else f"there is no file {path}")
    if "source" in made and made["source"] != own_code.digest(made["backbone"]):
        raise UserError(f"{path} was made by another version of {made['backbone']}: its source has changed since")
    try:
        return cast(Encoder, exported.load(path)) if "model" in made else _rebuilt(path, made)
    except UserError:
        raise
    except Exception as error:  # timm's constructors may raise anything
        raise UserError(f"{path} is damaged: {str(error).strip().splitlines()[-1].strip()[:160]}") from None


def _rebuilt(path: str | Path, made: dict[str, Any]) -> Encoder:
    """The encoder of a user's own class, or of an export by an earlier version."""
    model = build_backbone(made["backbone"], made["channels"], made["size"])
    model.load_state_dict(load_file(path), strict=True)
    return model.eval()


def unsuited(method: type[Method], backbone: Encoder, name: str) -> str:
    """Why the method cannot train the backbone of this name, to follow the method's name; empty where it can."""
    if method.needs == "tokens" and not isinstance(backbone, VisionTransformer):
        return f"needs a vision transformer, and {name} is none; try --backbone vit_tiny_patch4_32"
    return method.refusal(backbone)
