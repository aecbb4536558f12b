"""What else only a GPU would show: operations that fail or wait there, and gradients that compilation changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ..errors import UserError, reason
from ..methods import Method

Batch = Callable[[Method, str], tuple[list[Tensor], Tensor]]  # what a method's loss takes, on a device
STEPS = 2  # a queue is full of the method's own keys after one
CLOSE = 1e-3  # of the gradient's norm; the order of sums makes 1e-5
CHANGED = (
    "the compiled loss would have another gradient than the plain one: a buffer that the gradient depends on must change in "
    "after_step, not in loss"
)


def waits_for_nothing(method: Method, batch: Batch) -> str:
    """Fake tensors pretend to be on a GPU: they raise on mixed devices and on any operation that waits for it."""
    try:
        with FakeTensorMode():
            pretend_cuda(method)
            with _bf16_on_cuda():
                method.loss(*batch(method, "cuda"))
            method.after_step(0.5)
    except Exception as error:
        raise UserError(f"check: on a GPU the loss would fail or wait for the device: {type(error).__name__}: {error}") from None
    return "device: no mixed devices, no host wait in loss and after_step (on fake CUDA tensors, in bf16)"


def compiles(make: Callable[[], Method], batch: Batch) -> str:
    """The compiled loss has the plain one's gradient, which a buffer that changes within the loss can prevent.

    A compiler saves buffers for the backward pass by reference, also where the loss has a copy. The backend here divides the
    graph as that of a run does, and needs no compiler of C++ or CUDA.
    """
    try:
        found = _gradients(make, batch, compiled=True)
    except Exception as error:  # the plain loss has run before
        if "modified by an inplace operation" in str(error):
            raise UserError(f"check: {CHANGED}") from None
        return f"compiled: not possible, so that the loss runs as it is: {reason(error)}"
    for step, (ours, expected) in enumerate(zip(found, _gradients(make, batch, compiled=False), strict=True)):
        if (ours - expected).norm() > CLOSE * expected.norm():
            raise UserError(f"check: in step {step}, {CHANGED}")
    return "compiled: the gradient is the plain loss's"


def _gradients(make: Callable[[], Method], batch: Batch, compiled: bool) -> list[Tensor]:
    """The gradient of all parameters, in one vector, in each of a few steps of a seeded method."""
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        method = make().train()
        loss = _compiled(method) if compiled else method.loss
        for _ in range(STEPS):
            method.zero_grad()
            loss(*batch(method, "cpu")).backward()
            found.append(torch.cat([p.grad.flatten().clone() for p in method.parameters() if p.grad is not None]))
            method.after_step(0.5)
    return found


def _compiled(method: Method) -> Callable[..., Tensor]:
    torch._dynamo.reset()
    return torch.compile(method.loss, backend="aot_eager_decomp_partition", fullgraph=True)


@contextlib.contextmanager
def _bf16_on_cuda() -> Iterator[None]:
    """What ``torch.autocast("cuda", torch.bfloat16)`` does, which is disabled on a machine without a GPU."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])
        torch.clear_autocast_cache()


def pretend_cuda(module: nn.Module) -> None:
    """Inside a `FakeTensorMode`: every parameter and buffer becomes a fake one on a GPU that need not exist."""
    for part in module.modules():
        for name, value in part.named_parameters(recurse=False):
            fake = torch.empty(value.shape, dtype=value.dtype, device="cuda")
            part.register_parameter(name, nn.Parameter(fake, requires_grad=value.requires_grad))
        for name, buffer in part.named_buffers(recurse=False):
            part.register_buffer(name, torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda"))
