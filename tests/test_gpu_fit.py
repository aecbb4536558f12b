"""What a GPU would say: fake tensors on a pretended device, graphs without breaks, and the real thing where there is one."""

import json
import subprocess
import sys

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from bench.contenders import parse_contender
from bench.datasets import augment
from bench.datasets.augment import Policy
from bench.methods import registry
from bench.running import check, device_checks

POLICY = Policy(mean=(0.5,) * 3, std=(0.25,) * 3, blur=0.5)
TRAINING = [name for name, kind in registry().items() if kind.trains]


@pytest.mark.parametrize(("side", "size"), [(32, 32), (64, 48)])
@pytest.mark.parametrize("squashed", [False, True])
def test_augmentation_waits_for_nothing_and_mixes_no_devices(side, size, squashed):
    with FakeTensorMode(), torch.device("cuda"):
        images = torch.empty(16, 3, side, side, dtype=torch.uint8)
        sizes = torch.full((16, 2), 80) if squashed else None
        view = augment.augment(POLICY, images, sizes, size, torch.Generator("cpu"), 0)
        still = augment.evaluation_view(POLICY, images, sizes, size)
        assert view.shape == still.shape == (16, 3, size, size)
        assert view.device.type == still.device.type == "cuda"


MORE_VIEWS = ["swav:local_crops=2", "dino:local_crops=2", "lejepa:crops=3"]


@pytest.mark.parametrize("spec", [*TRAINING, *MORE_VIEWS])
def test_a_loss_is_one_graph(spec):
    """`fullgraph` raises at the first break; the cheap backend runs the graph as it is. In bf16, as on CUDA."""
    torch._dynamo.reset()
    one = parse_contender(spec)
    method = check.make(registry()[one.method], one.settings).train()
    views, index = check.batch(method)
    compiled = torch.compile(method.loss, backend="eager", fullgraph=True)
    for step in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            loss = compiled(views, index + step)
        loss.backward()
        method.after_step(0.5)
        assert loss.isfinite()


@pytest.mark.parametrize("spec", MORE_VIEWS)
def test_several_crops_fit_a_gpu(spec):
    one = parse_contender(spec)
    method = check.make(registry()[one.method], one.settings).train()
    assert "no host wait" in device_checks.waits_for_nothing(method, check.batch)


def test_augmentation_is_one_graph():
    torch._dynamo.reset()
    images = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)
    size = torch.full((16,), 32.0)
    parameters = augment.draw(POLICY, size, size, torch.Generator().manual_seed(0), 0)
    compiled = torch.compile(augment.apply, backend="eager", fullgraph=True)
    assert torch.allclose(compiled(POLICY, images, parameters, 32), augment.apply(POLICY, images, parameters, 32), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("name", TRAINING)
def test_a_method_trains_on_a_gpu(name):
    run = check.trainer(registry()[name], "4ep", torch.device("cuda"))
    run.fit()
    assert run.progress == 1
    assert all(torch.tensor(point["loss"]).isfinite() for point in run.curve)


@pytest.mark.gpu
@pytest.mark.parametrize("name", TRAINING)
def test_an_epoch_never_waits_for_the_gpu(name):
    run = check.trainer(registry()[name], "2ep", torch.device("cuda"))
    run.train_step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(2):
            run.train_step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
def test_the_command_for_a_gpu_goes_all_its_way(tmp_path):
    command = [sys.executable, "tests/gpu", "--device", "cpu", "--small", "--json", str(tmp_path / "gpu.json")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = [row["figure"] for row in json.loads((tmp_path / "gpu.json").read_text())["rows"]]
    assert {"over_lightly_test_resnet_32px", "fed_64px", "simclr_model_only"} <= set(figures)
    assert "there is no CUDA device" in said and all(figure in said for figure in figures)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_command_for_a_gpu_measures_nothing_without_one():
    done = subprocess.run([sys.executable, "tests/gpu"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("no CUDA device here: nothing is measured")
