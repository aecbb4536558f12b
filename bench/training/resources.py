"""Peak memory and energy of a cell; None where this machine does not measure them."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory of this process so far: on the GPU where it trains there, else in main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def energy_joules(device: torch.device) -> float | None:
    """A counter of energy, to be read before and after; it is that of the whole GPU, or of the whole processor."""
    try:
        if device.type == "cuda":
            import pynvml

            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(device.index or 0)
            return pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
        return int(RAPL.read_text()) / 1e6
    except Exception:  # no library, no counter, no permission: the energy is not known
        return None
