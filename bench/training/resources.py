"""Peak memory and energy of a cell; None where this machine does not measure them."""

from __future__ import annotations

import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import torch

RAPL = Path("/sys/class/powercap")
OFTEN = 60.0  # seconds between two readings: at full power a processor's counter begins anew after a few minutes at the earliest
Reading = dict[str, tuple[int, int]]  # by counter its microjoules, and the number at which it begins anew


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory of this process so far: on the GPU where it trains there, else in main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class EnergyMeter:
    """Measures the energy in a ``with`` block, of the whole GPU or of all processors: ``joules``, None if it is not known."""

    def __init__(self, device: torch.device, often: float = OFTEN):
        self._read = (lambda: _of_gpu(device)) if device.type == "cuda" else _of_processors
        self._often, self._done = often, threading.Event()
        self._watch = threading.Thread(target=self._read_often, daemon=True)
        self._last: Reading | None = None
        self.joules: float | None = None

    def __enter__(self) -> EnergyMeter:
        self._last = _tried(self._read)
        if self._last is not None:
            self.joules = 0.0
            self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._last is not None:
            self._done.set()
            self._watch.join()
            self._add()

    def _read_often(self) -> None:
        while not self._done.wait(self._often):
            self._add()

    def _add(self) -> None:
        last, now = self._last, _tried(self._read)
        if self.joules is None or last is None or now is None or now.keys() != last.keys():
            self.joules = None  # a counter is gone: what it counted in between is not known
            return
        self.joules += sum((now[name][0] - last[name][0]) % around for name, (_, around) in now.items()) / 1e6
        self._last = now


def _tried(read: Callable[[], Reading]) -> Reading | None:
    try:
        return read()
    except Exception:  # no library, no counter, no permission
        return None


def _of_gpu(device: torch.device) -> Reading:
    """The counter of the GPU that torch knows as ``device``: NVML counts also those that CUDA_VISIBLE_DEVICES hides."""
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    return {"gpu": (1000 * pynvml.nvmlDeviceGetTotalEnergyConsumption(handle), 2**64)}


def _of_processors() -> Reading:
    """The counters of all processor packages."""
    found = {
        package.name: (int((package / "energy_uj").read_text()), int((package / "max_energy_range_uj").read_text()) + 1)
        for package in sorted(RAPL.glob("intel-rapl:[0-9]")) + sorted(RAPL.glob("intel-rapl:[0-9][0-9]"))
    }
    if not found:
        raise OSError(f"no counter in {RAPL}")
    return found
