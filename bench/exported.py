"""Exported encoders outside this harness: `load` needs only timm and safetensors and can be copied; `to_folder` is for timm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import safe_open


def load(path: str | Path) -> Any:
    """The exported encoder in eval mode, loaded strictly: the keys of the file and of the model are the same.

    The keys of a stem for small images begin with ``small_stem.``, so that timm's standard model, which is another
    function, refuses them.
    """
    made = about(path)
    with safe_open(path, "pt") as file:
        state = {key.removeprefix("small_stem."): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    model = timm.create_model(made["model"], **made["arguments"])
    for name, kind, arguments in made["layers"]:
        model.set_submodule(name, getattr(torch.nn, kind)(**arguments))
    model.load_state_dict(state, strict=True)
    return model.eval()


def about(path: str | Path) -> dict[str, Any]:
    """The metadata of the exported encoder: the timm model, its arguments, and the layers that differ; ValueError without."""
    with safe_open(path, "pt") as file:
        made = json.loads((file.metadata() or {}).get("encoder", "{}"))
    if not isinstance(made, dict) or not {"model", "arguments", "layers"} <= made.keys():
        raise ValueError(f"{path} is not the export of a timm model; those of your own classes load by bench.load_encoder")
    return made


def to_folder(path: str | Path, folder: str | Path) -> bool:
    """Write ``config.json`` and ``model.safetensors`` as Hugging Face has them; returns whether timm can load the folder.

    It does so by ``timm.create_model("local-dir:FOLDER", pretrained=True)``, but has no arguments for a stem for small
    images and refuses such a folder; `load` reads both kinds.
    """
    content, made = Path(path).read_bytes(), about(path)
    config = {
        "architecture": made["model"],
        "num_classes": 0,
        "model_args": made["arguments"],
        "pretrained_cfg": {
            "input_size": [made["channels"], made["size"], made["size"]],
            "fixed_input_size": "img_size" in made["arguments"],
            "num_classes": 0,
            "first_conv": None,
            "classifier": None,
        },
    }
    if made["layers"]:
        config["small_stem"] = made["layers"]
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.safetensors").write_bytes(content)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    return not made["layers"]
