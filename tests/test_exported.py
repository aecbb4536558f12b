"""Exported encoders: what loads them computes the same to the bit, and what would not does not load them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bench import exported
from bench.backbone import build_backbone, load_encoder, save_encoder
from bench.errors import UserError

SMALL_STEMS = [("test_resnet", 1, 8), ("test_resnet", 3, 32), ("resnet18", 3, 32)]
AS_TIMM_HAS_IT = [("test_resnet", 1, 64), ("vit_tiny_patch4_32", 3, 16), ("test_vit", 1, 32)]


def trained(name, channels, size, path):
    """An encoder whose running statistics are no longer those of a fresh one, its export, images, and their features."""
    torch.manual_seed(1)
    encoder = build_backbone(name, channels, size).train()
    images = torch.randn(4, channels, size, size)
    for _ in range(2):
        encoder(images)
    save_encoder(encoder, path, name, channels, size)
    with torch.no_grad():
        return images, encoder.eval()(images)


@pytest.mark.parametrize(("name", "channels", "size"), SMALL_STEMS + AS_TIMM_HAS_IT)
def test_both_loaders_give_equal_features_to_the_bit(name, channels, size, tmp_path):
    path = tmp_path / "e.safetensors"
    images, features = trained(name, channels, size, path)
    for load in (exported.load, load_encoder):
        model = load(path)
        with torch.no_grad():
            assert not model.training and torch.equal(model(images), features)


@pytest.mark.parametrize(("name", "channels", "size"), SMALL_STEMS)
def test_plain_timm_does_not_take_a_small_stem(name, channels, size, tmp_path):
    path = tmp_path / "e.safetensors"
    trained(name, channels, size, path)
    plain = timm.create_model(name, num_classes=0, in_chans=channels)
    with pytest.raises(RuntimeError, match=r"small_stem\.conv1"):
        plain.load_state_dict(load_file(path), strict=True)
    with pytest.raises(RuntimeError, match=r"small_stem\.conv1"):
        timm.create_model(name, num_classes=0, in_chans=channels, checkpoint_path=str(path))
    with safe_open(path, "pt") as file:
        (conv, kind, arguments), pool = json.loads(file.metadata()["encoder"])["layers"]
    assert (
        conv.startswith("conv1")
        and kind == "Conv2d"
        and arguments["kernel_size"] == [3, 3]
        and pool == ["maxpool", "Identity", {}]
    )
    assert not exported.to_folder(path, tmp_path / "hf")
    with pytest.raises(RuntimeError, match=r"small_stem\.conv1"):
        timm.create_model(f"local-dir:{tmp_path / 'hf'}", pretrained=True)
    exported.load(tmp_path / "hf" / "model.safetensors")


@pytest.mark.parametrize(("name", "channels", "size"), AS_TIMM_HAS_IT)
def test_timm_takes_the_folder_and_computes_the_same(name, channels, size, tmp_path):
    path = tmp_path / "e.safetensors"
    images, features = trained(name, channels, size, path)
    assert exported.to_folder(path, tmp_path / "hf")
    model = timm.create_model(f"local-dir:{tmp_path / 'hf'}", pretrained=True).eval()
    with torch.no_grad():
        assert torch.equal(model(images), features)


def test_a_file_with_a_key_more_or_less_is_refused(tmp_path):
    path = tmp_path / "e.safetensors"
    trained(*SMALL_STEMS[0], path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    for changed in (tensors | {"more": torch.zeros(1)}, {key: value for key, value in tensors.items() if key != "bn1.weight"}):
        save_file(changed, path, metadata)
        with pytest.raises(RuntimeError, match=r"Missing|Unexpected"):
            exported.load(path)


def test_the_exports_of_earlier_versions_are_read(tmp_path):
    path = tmp_path / "e.safetensors"
    images, features = trained("test_resnet", 1, 8, path)
    old = {key.removeprefix("small_stem."): value for key, value in load_file(path).items()}
    save_file(old, path, {"encoder": json.dumps({"backbone": "test_resnet", "channels": 1, "size": 8})})
    with torch.no_grad():
        assert torch.equal(load_encoder(path)(images), features)


def test_the_loader_needs_timm_and_safetensors_alone(tmp_path):
    path = tmp_path / "e.safetensors"
    trained(*SMALL_STEMS[0], path)
    (tmp_path / "copied.py").write_text(Path(exported.__file__).read_text())
    code = "import copied, sys; copied.load('e.safetensors'); assert not any(m.split('.')[0] == 'bench' for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": None}, "its metadata.channels is None, not a whole number of at least 1"),
        ({"backbone": ...}, "its metadata has no backbone"),
        ({"arguments": ...}, "is not the export of a timm model"),
        ({"arguments": {"in_chans": "one"}}, "is damaged"),
        ({"layers": [["gone", "Conv2d", {}]]}, "is damaged"),
        ({"layers": [["maxpool", "Nothing", {}]]}, "is damaged"),
        (None, "is no exported encoder"),
        ([], "its metadata is [], not an object"),
    ],
)
def test_edited_metadata_are_one_line(changes, said, tmp_path):
    path = tmp_path / "e.safetensors"
    trained(*SMALL_STEMS[0], path)
    with safe_open(path, "pt") as file:
        made = json.loads(file.metadata()["encoder"])
    made = {key: value for key, value in (made | changes).items() if value is not ...} if isinstance(changes, dict) else changes
    save_file(load_file(path), path, {} if made is None else {"encoder": json.dumps(made)})
    with pytest.raises(UserError) as error:
        load_encoder(path)
    assert said in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_the_export_of_one_s_own_class_is_no_timm_model(tmp_path):
    path = tmp_path / "e.safetensors"
    save_file({"weight": torch.zeros(1)}, path, {"encoder": json.dumps({"backbone": "net.py:Net", "channels": 1, "size": 8})})
    for read in (exported.load, lambda path: exported.to_folder(path, tmp_path / "hf")):
        with pytest.raises(ValueError, match="is not the export of a timm model"):
            read(path)
    assert not (tmp_path / "hf").exists()
    with pytest.raises(UserError, match=r"there is no file net\.py"):
        load_encoder(path)
