"""How the loss is computed: compiled on a GPU where that works, with activation checkpointing where memory is short.

Both are tried on real batches, off the clock, and what the trial did to the method is undone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import UserError
from ..methods import Method
from ..recipe import Training
from .activation_checkpointing import recompute

TRIALS = 3  # CUDA graphs are recorded at the second call and replayed at the third
Loss = Callable[[list[Tensor], Tensor], Tensor]
Batch = Callable[[], tuple[list[Tensor], Tensor]]


class Way(NamedTuple):
    """The loss to call, and for the record whether it is compiled and recomputes activations: on or off, and why."""

    loss: Loss
    compiled: str = "off"
    recomputed: str = "off"


def precision(training: Training, device: torch.device) -> str:
    """bf16 or fp32: what the recipe says, and where it leaves it open bf16 on CUDA alone."""
    return ("bf16" if device.type == "cuda" else "fp32") if training.precision == "auto" else training.precision


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """The context in which the loss is computed."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision(training, device) == "bf16")


def choose(method: Method, training: Training, batch: Batch, device: torch.device) -> Way:
    """The way that ``training`` asks for; what it leaves open is tried on CUDA, and plain elsewhere."""
    if training.activation_checkpointing == "on":
        recompute(method)
        return Way(method.loss, recomputed="on")
    return try_out(method, training, batch, device) if device.type == "cuda" else Way(method.loss)


def try_out(method: Method, training: Training, batch: Batch, device: torch.device) -> Way:
    """The compiled loss, else the plain one, else the plain one with activation checkpointing: the first that works."""
    compiled = "off"
    with _undone(method, device):
        if training.compile == "auto":
            loss = torch.compile(method.loss, mode="reduce-overhead", fullgraph=True)
            why = _failure(loss, method, training, batch, device)
            if why is None:
                return Way(loss, "reduce-overhead")
            compiled = f"off: {why}"
        if training.activation_checkpointing == "auto":
            why = _failure(method.loss, method, training, batch, device)
            if why is not None and why.startswith(torch.OutOfMemoryError.__name__):
                with contextlib.suppress(UserError):  # no blocks: training will say that memory is short
                    recompute(method)
                    return Way(method.loss, compiled, "on: out of memory without it")
    return Way(method.loss, compiled)


def _failure(loss: Loss, method: Method, training: Training, batch: Batch, device: torch.device) -> str | None:
    """Why a few steps of ``loss`` do not work, in a line; None where they do."""
    try:
        for _ in range(TRIALS):
            with autocast(training, device):
                loss(*batch()).backward()
        return None
    except Exception as error:  # the compiler may raise anything; the plain loss may still work
        first = str(error).splitlines()[0] if str(error) else ""
        return f"{type(error).__name__}: {first}"[:200]
    finally:
        method.zero_grad(set_to_none=True)


@contextlib.contextmanager
def _undone(method: Method, device: torch.device) -> Iterator[None]:
    """Afterwards the method and the random numbers are as before, and what memory the block took is free."""
    state = {name: value.clone() for name, value in method.state_dict().items() if torch.is_tensor(value)}
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        yield
    method.load_state_dict(state, strict=False)
    if on_gpu:
        torch.cuda.empty_cache()
