"""What is refused at planning, before any cell is run."""

import pytest
import torch

from bench.backbone import build_backbone
from bench.errors import UserError
from bench.methods import TrainData, registry
from bench.running import plan as planning
from tests.small_cells import options


def plan(folder, methods, **changes):
    tasks, said = planning.plan(options(folder, methods, **changes))
    return [task.cell.recipe.method.name for task in tasks], said


def test_a_backbone_that_cannot_take_the_images_is_refused_with_a_size_that_works(tmp_path):
    with pytest.raises(UserError, match=r"vit_tiny_patch16_224.* 1 x 8 x 8.*try px=32: digits:fraction=0.2,px=32"):
        plan(tmp_path, "simclr", backbone="vit_tiny_patch16_224")
    names, _ = plan(tmp_path, "random_init", backbone="vit_tiny_patch16_224", datasets="digits:fraction=0.2,px=16")
    assert names == ["random_init"]


def test_a_method_that_needs_tokens_is_left_out_of_all_and_refused_by_name(tmp_path):
    names, said = plan(tmp_path, "all")
    assert set(registry()) - set(names) == {"mae"}
    assert any(line.startswith("mae is left out: it needs a vision transformer, and test_resnet is none") for line in said)
    with pytest.raises(
        UserError, match=r"mae needs a vision transformer, and test_resnet is none; try --backbone vit_tiny_patch4_32"
    ):
        plan(tmp_path, "simclr,mae")
    assert plan(tmp_path, "ma*,simclr")[0] == ["simclr"]
    assert plan(tmp_path, "mae", backbone="vit_tiny_patch4_32")[0] == ["mae"]


def test_a_method_that_refuses_a_backbone_does_so_at_planning_and_when_it_is_made(tmp_path, bench_command):
    name = "vit_tiny_patch3_32"
    why = "needs whole patches, and 8 pixels are no multiple of 3; try an input of 9 pixels, or patches of 2"
    line = ("--datasets", "digits:fraction=0.2", "--backbone", name, "--out", tmp_path / "results", "--dry-run")
    code, _, error = bench_command("run", "--methods", "mae", *line)
    assert code == 2 and f"mae {why}" in error and error.count("\n") == 1
    assert plan(tmp_path, "ma*,random_init", backbone=name) == (["random_init"], [f"mae is left out: it {why}"])
    kind = registry()["mae"]
    with pytest.raises(ValueError, match=f"mae {why}"):
        kind(build_backbone(name, 1, 8), kind.config_type(), TrainData(64, 10))


def test_a_vision_transformer_of_another_patch_size_is_timms_with_that_patch():
    vit = build_backbone("vit_tiny_patch4_32", 3, 16)
    assert vit.patch_embed.patch_size == (4, 4) and vit.patch_embed.num_patches == 16 and vit.num_features == 192
    with pytest.raises(UserError, match="unknown backbone"):
        build_backbone("vit_tinny_patch4_32", 3, 16)


@pytest.mark.parametrize(("name", "size"), [("fastvit_t8", 64), ("deit_tiny_patch16_224", 32), ("vit_tiny_patch4_32", 32)])
def test_an_input_size_is_given_to_the_models_that_are_made_for_one(name, size):
    assert build_backbone(name, 3, size)(torch.zeros(1, 3, size, size)).shape[0] == 1
