"""The total cost of all records: hours by device, and energy where it was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..records import Record

PARTS = ("train_seconds", "eval_seconds", "compile_seconds", "checkpoint_seconds")


@dataclass
class Spent:
    """Wall-clock hours of each device, GPUs first; kWh of the cells whose energy was measured, None if there are none."""

    gpu_hours: dict[str, float] = field(default_factory=dict)
    cpu_hours: dict[str, float] = field(default_factory=dict)
    kwh: float | None = None

    def __str__(self) -> str:
        told = [f"{hours:,.3g} GPU-hours ({device})" for device, hours in self.gpu_hours.items()]
        told += [f"{hours:,.3g} CPU-hours ({device})" for device, hours in self.cpu_hours.items()]
        energy = f"; {self.kwh:,.3g} kWh where energy was measured" if self.kwh else ""
        note = "Hours by the clock, without those in which a run was stopped."
        return f"All records together: {', '.join(told)}{energy}. {note}" if told else ""


def total(records: Iterable[Record]) -> Spent:
    """The sum over ``records``."""
    hours: tuple[dict[str, float], dict[str, float]] = defaultdict(float), defaultdict(float)
    joules = 0.0
    for record in records:
        device = record.environment.get("device")
        if device:
            of_cpu = record.environment.get("driver") is None  # CUDA's version; a CPU has none
            hours[of_cpu][device] += seconds(record) / 3600
            joules += record.cost.get("energy_joules") or 0.0
    gpus, cpus = (dict(sorted(found.items())) for found in hours)
    return Spent(gpus, cpus, joules / 3.6e6 if joules else None)


def seconds(record: Record) -> float:
    """The wall-clock time of the cell."""
    return sum(record.cost.get(part) or 0.0 for part in PARTS)
