"""Counts the floating-point operations of a training step on fake tensors, which have shapes but no values.

A multiply-add is two operations. Matrix products and convolutions count, forward and backward, by PyTorch's counter;
elementwise operations do not. See docs/compute.md.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from ..evaluation.features import frozen
from ..methods import Method

Shape = tuple[int, ...]
M = TypeVar("M", bound=nn.Module)


class Work(NamedTuple):
    """The operations of one training step."""

    images: int  # in the batch
    views: int  # of each image
    step: int  # floating-point operations of the step, forward and backward
    forward: int  # floating-point operations of one image in one forward pass of the encoder

    @property
    def per_image(self) -> float:
        return self.step / self.images

    @property
    def forward_passes(self) -> float | None:
        """The operations for each image, as a multiple of a forward pass of the encoder; None where that has none."""
        return self.per_image / self.forward if self.forward else None


def of_step(method: Method, views: Sequence[Shape], image: Shape) -> Work:
    """Count the loss on views of these shapes [B, C, H, W], forward and backward, and the encoder on an ``image`` [C, H, W].

    The method and the random generators do not change. Raises what the loss raises.
    """
    device, images = method.progress.device, views[0][0]

    def step(twin: Method) -> None:
        given = [torch.randn(shape, device=device) for shape in views]
        twin.loss(given, torch.arange(images, device=device)).backward()

    return Work(images, len(views), _count(method, step, device), of_forward(method.encoder, image, device))


def of_forward(network: nn.Module, image: Shape, device: torch.device) -> int:
    """Count a forward pass of an ``image`` [C, H, W] through the frozen ``network``."""

    def forward(twin: nn.Module) -> None:
        with frozen(twin):
            twin(torch.zeros(1, *image, device=device))

    return _count(network, forward, device)


def _count(network: M, work: Callable[[M], None], device: torch.device) -> int:
    """Count ``work`` on a fake copy; work that reads values, which fake tensors lack, is computed once on a real copy."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            with _fake(network) as twin:
                return _counted(work, twin)
        except Exception:  # fake tensors fail in many ways; an error of the work itself is raised again
            return _counted(work, copy.deepcopy(network))


def _counted(work: Callable[[M], None], network: M) -> int:
    """Count ``work``; attention counts as its matrix products, independent of the kernels of the machine."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work(network)
    return counter.get_total_flops()


@contextlib.contextmanager
def _fake(network: M) -> Iterator[M]:
    """A copy with fake parameters and buffers. BatchNorms, which count nothing but take the longest, only scale."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        memo = {id(value): _empty(value) for value in [*network.parameters(), *network.buffers()]}
        twin = copy.deepcopy(network, memo)
        for module in twin.modules():
            if isinstance(module, _BatchNorm):
                module.forward = _Scale(module.weight)  # type: ignore[method-assign, assignment]
        yield twin


def _empty(value: Tensor) -> Tensor:
    made = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device)
    return nn.Parameter(made, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else made


class _Scale(NamedTuple):
    weight: Tensor | None

    def __call__(self, images: Tensor) -> Tensor:
        return images if self.weight is None else images * self.weight.view(-1, *[1] * (images.ndim - 2))


def kind_of(network: nn.Module) -> tuple[tuple[str, Shape], ...]:
    """Names and shapes of a network's parameters; networks that are equal in them are assumed to take the same operations."""
    return tuple((name, tuple(value.shape)) for name, value in network.named_parameters())
