"""What all records together have cost: hours by device, and energy where it was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..records import Record

PARTS = ("train_seconds", "eval_seconds", "compile_seconds", "checkpoint_seconds")


def sentence(records: Iterable[Record]) -> str:
    """Such as ``All records together: 3.2 GPU-hours (NVIDIA H100), 1.1 CPU-hours (a processor).``; empty without any."""
    seconds: dict[tuple[bool, str], float] = defaultdict(float)
    joules = 0.0
    for record in records:
        device = record.environment.get("device")
        if device:
            of_gpu = record.environment.get("driver") is not None  # CUDA's version; a CPU has none
            seconds[not of_gpu, device] += sum(record.cost.get(part) or 0.0 for part in PARTS)
            joules += record.cost.get("energy_joules") or 0.0
    told = [f"{s / 3600:,.3g} {'CPU' if of_cpu else 'GPU'}-hours ({device})" for (of_cpu, device), s in sorted(seconds.items())]
    energy = f"; {joules / 3.6e6:,.3g} kWh where energy was measured" if joules else ""
    return f"All records together: {', '.join(told)}{energy}. Hours by the clock." if told else ""
