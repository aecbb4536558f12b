"""The environment of a cell: code, versions, device."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from .errors import UserError

N = TypeVar("N", bound=nn.Module)
PACKAGES = ("torch", "torchvision", "timm", "lightly", "numpy")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block, torch uses one thread: for tiny tensors, more threads only add waiting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_device(name: str) -> None:
    """`UserError` where ``name`` is no device of any machine."""
    if name not in ("auto", "cpu", "cuda") and not (name.startswith("cuda:") and name[5:].isdecimal()):
        raise UserError(f"--device {name!r} is unknown: there are auto, cpu, cuda and cuda:1")


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:1`` as a device; `UserError` where there is no such device."""
    check_device(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device(name)
    _, colon, number = name.partition(":")
    if not torch.cuda.is_available():
        raise UserError(f"--device {name}: torch sees no CUDA device here; use --device cpu or auto")
    there = torch.cuda.device_count()
    if colon and int(number) >= there:
        raise UserError(f"--device {name}: this machine has {there} CUDA device{'s' * (there > 1)}, counted from 0")
    return torch.device(name)


def placed(network: N, device: torch.device) -> N:
    """``network`` on ``device`` with channels last, which is faster, but for a user's own part of it, as `own_code` says."""
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for part in network.modules():
        for tensor in [*part.parameters(), *part.buffers()] if getattr(part, "usual_layout", False) else ():
            tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)  # `to` leaves one channel as it is
    return network


def emulates_bf16(device: torch.device) -> bool:
    """Whether ``device`` is an x86 processor without instructions for bfloat16, where it is many times slower than fp32."""
    if device.type != "cpu":
        return False
    has = torch.cpu.get_capabilities()
    return has.get("architecture") == "x86_64" and not (has.get("avx512_bf16") or has.get("amx_bf16"))


def use(device: torch.device) -> None:
    """Make a numbered GPU the current device, which CUDA events and generators use by default."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def describe(device: torch.device) -> dict[str, Any]:
    """The machine, as records describe it."""
    sha, dirty = git_state()
    return {
        "git_sha": sha,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "driver": str(torch.version.cuda) if device.type == "cuda" else None,
    }


@cache
def device_name(device: torch.device) -> str:
    """The GPU's name, or the processor's with its number of cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


@cache
def git_state() -> tuple[str | None, bool | None]:
    """The commit of the running code, and whether files were changed since; (None, None) outside a checkout of the harness.

    The repository counts only if it tracks the harness's files: an installed harness may lie inside another repository.
    """
    here = Path(__file__).resolve().parent

    def git(*args: str) -> str:
        return subprocess.run(["git", "-C", str(here), *args], capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != here.parent:
            return None, None
        git("ls-files", "--error-unmatch", "--", Path(__file__).name)
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", ":/bench", ":/methods", ":/datasets"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether host or GPU memory was refused."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
