"""Compilation where it is asked for; activation checkpointing changes no bit, and is what too little memory falls back to."""

from dataclasses import replace

import pytest
import timm
import torch

from bench.errors import UserError
from bench.methods import TrainData, registry
from bench.methods.simclr import SimCLR
from bench.recipe import Training
from bench.running import check
from bench.training.activation_checkpointing import recompute
from bench.training.loss_call import choose, try_out


def method_on_resnet(name="moco"):
    torch.manual_seed(0)
    kind = registry()[name]
    encoder = timm.create_model("test_resnet", num_classes=0)
    return kind(encoder, kind.config_type().resolved(check.IMAGES, 32), TrainData(check.IMAGES, 4)).train()


def batch(step=0):
    views = torch.randn(2, 8, 3, 32, 32, generator=torch.Generator().manual_seed(step))
    return list(views), torch.arange(8)


def train(method, call, steps=3):
    optimizer = torch.optim.SGD([p for p in method.parameters() if p.requires_grad], lr=0.1)
    for step in range(steps):
        optimizer.zero_grad()
        call.loss(*batch(step)).backward()
        optimizer.step()
        method.after_step(step / steps)
    return method.state_dict()


def training(**settings):
    return Training(batch_size=8, lr=0.1, weight_decay=0.0, **settings)


@pytest.fixture(params=["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def backend(request, monkeypatch):
    """Compiles the loss: a backend that runs its graph as it is; or that of a run, which takes a C++ compiler and a minute."""
    compiled = torch.compile
    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", lambda loss, mode, **how: compiled(loss, backend=request.param, **how))


COMPILED = replace(check.TRAINING, compile="on")


def test_a_compiled_loss_is_close_to_the_plain_one(backend):
    plain, compiled = (check.trainer(SimCLR, "2ep", training=training) for training in (check.TRAINING, COMPILED))
    for run in (plain, compiled):
        run.fit()
    assert (plain.call.compiled, compiled.call.compiled) == ("off", "default")
    assert [p["loss"] for p in compiled.curve] == pytest.approx([p["loss"] for p in plain.curve], rel=1e-4)


def test_a_compiled_run_that_was_interrupted_ends_as_one_that_was_not(backend):
    check.resumes(registry()["moco"], COMPILED)


def test_what_cannot_be_compiled_is_an_error_where_it_must_be():
    class Breaks(SimCLR):
        def loss(self, views, index):
            loss = super().loss(views, index)
            return loss if loss.item() > 0 else -loss

    with pytest.raises(UserError, match="compile=on, but the loss cannot be compiled here: "):
        check.trainer(Breaks, "1steps", training=COMPILED).fit()
    check.trainer(Breaks, "1steps").fit()


def test_activation_checkpointing_changes_no_bit():
    states = []
    for setting in ("off", "on"):
        method = method_on_resnet()
        call = choose(method, training(activation_checkpointing=setting), batch, torch.device("cpu"))
        assert call.recomputed == setting
        states.append(train(method, call))
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_activation_checkpointing_saves_memory():
    def kept(encoder):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.nbytes) or x, lambda x: x):
            encoder(torch.randn(8, 3, 64, 64))
        return sum(sizes)

    encoder = timm.create_model("resnet18", num_classes=0)
    plain = kept(encoder)
    recompute(encoder)
    assert kept(encoder) < 0.5 * plain


def test_without_memory_activations_are_recomputed():
    method = method_on_resnet()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    plain, calls = method.loss, []

    def short_of_memory(views, index):
        calls.append(index)
        loss = plain(views, index)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss

    method.loss = short_of_memory
    call = try_out(method, training(compile="off"), batch, torch.device("cpu"))
    assert call.recomputed == "on: out of memory without it"
    assert all(torch.equal(before[key], value) for key, value in method.state_dict().items())
    other = method_on_resnet()
    unhindered = train(other, choose(other, training(), batch, torch.device("cpu")))
    assert all(torch.equal(value, unhindered[key]) for key, value in train(method, call).items())


def test_another_error_is_no_lack_of_memory():
    method = method_on_resnet()

    def broken(views, index):
        raise ValueError("no")

    method.loss = broken
    assert try_out(method, training(compile="off"), batch, torch.device("cpu")).recomputed == "off"


def test_where_the_compiler_fails_the_plain_loss_is_used(monkeypatch):
    method = method_on_resnet()
    before = {key: value.clone() for key, value in method.state_dict().items()}

    def compiled(loss, **how):
        def fails(*batch):
            loss(*batch)
            raise RuntimeError("no such kernel\nand a long trace")

        return fails

    monkeypatch.setattr(torch, "compile", compiled)
    call = try_out(method, training(), batch, torch.device("cpu"))
    assert call.compiled == "off: RuntimeError: no such kernel" and call.loss == method.loss
    assert all(torch.equal(before[key], value) for key, value in method.state_dict().items())
    assert all(parameter.grad is None for parameter in method.parameters())
    monkeypatch.setattr(torch, "compile", lambda loss, **how: loss)
    assert try_out(method, training(), batch, torch.device("cpu")).compiled == "default"
