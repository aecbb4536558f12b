"""Chooses how the loss is called: compiled on a GPU where that works, or where the recipe says so; with activation checkpointing
where memory is short.

Both are tried on real batches, off the budget clock; changes of the method by the attempt are undone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError, reason
from ..methods import Method
from ..recipe import Training
from .activation_checkpointing import recompute

TRIALS = 3  # calls of an attempt: CUDA graphs are recorded at the second call and replayed at the third
Loss = Callable[[list[Tensor], Tensor], Tensor]
Batch = Callable[[], tuple[list[Tensor], Tensor]]


class LossCall(NamedTuple):
    """The loss to call, and texts for the record: whether it is compiled, and whether activations are recomputed, and why."""

    loss: Loss
    compiled: str = "off"
    recomputed: str = "off"


def precision(training: Training, device: torch.device) -> str:
    """The recipe's precision; for auto bf16 on CUDA and fp32 elsewhere."""
    return ("bf16" if device.type == "cuda" else "fp32") if training.precision == "auto" else training.precision


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """The context in which the loss is computed."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision(training, device) == "bf16")


def choose(method: Method, training: Training, batch: Batch, device: torch.device) -> LossCall:
    """The call that ``training`` sets; settings left to auto are tried on CUDA, and off elsewhere.

    `UserError` where the loss cannot be compiled and ``compile`` is on.
    """
    recomputed = "on" if training.activation_checkpointing == "on" else "off"
    if recomputed == "on":
        recompute(method)
    if training.compile == "on":
        return _required(method, training, batch, device)._replace(recomputed=recomputed)
    if recomputed == "off" and device.type == "cuda":
        return try_out(method, training, batch, device)
    return LossCall(method.loss, recomputed=recomputed)


def try_out(method: Method, training: Training, batch: Batch, device: torch.device) -> LossCall:
    """The compiled loss, else the plain one, else the plain one with activation checkpointing: the first that works."""
    compiled = "off"
    with _undone(method, device):
        if training.compile == "auto":
            call = _compiled(method, device)
            why = _failure(call.loss, method, training, batch, device)
            if why is None:
                return call
            compiled = f"off: {why}"
        if training.activation_checkpointing == "auto":
            why = _failure(method.loss, method, training, batch, device)
            if why is not None and why.startswith(torch.OutOfMemoryError.__name__):
                with contextlib.suppress(UserError):  # no blocks: training will say that memory is short
                    recompute(method)
                    return LossCall(method.loss, compiled, "on: out of memory without it")
    return LossCall(method.loss, compiled)


def _required(method: Method, training: Training, batch: Batch, device: torch.device) -> LossCall:
    call = _compiled(method, device)
    with _undone(method, device):
        if why := _failure(call.loss, method, training, batch, device):
            raise UserError(f"compile=on, but the loss cannot be compiled here: {why}")
    return call


def _compiled(method: Method, device: torch.device) -> LossCall:
    mode = "reduce-overhead" if device.type == "cuda" else "default"  # the first records CUDA graphs
    return LossCall(torch.compile(method.loss, mode=mode, fullgraph=True), mode)


def _failure(loss: Loss, method: Method, training: Training, batch: Batch, device: torch.device) -> str | None:
    """Why a few steps of ``loss`` fail, in one line; None where they work."""
    try:
        for _ in range(TRIALS):
            with autocast(training, device):
                loss(*batch()).backward()
        return None
    except Exception as error:  # the compiler may raise anything; the plain loss may still work
        return reason(error)
    finally:
        method.zero_grad(set_to_none=True)


@contextlib.contextmanager
def _undone(method: Method, device: torch.device) -> Iterator[None]:
    """Restore the method and the random generators after the block, and free its GPU memory."""
    state = {name: value.clone() for name, value in method.state_dict().items() if torch.is_tensor(value)}
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        yield
    method.load_state_dict(state, strict=False)
    if on_gpu:
        torch.cuda.empty_cache()
