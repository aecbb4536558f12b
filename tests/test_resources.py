"""Energy: counters that begin anew, several processors, the GPU that torch means, and machines without a counter."""

import sys
import time
from types import SimpleNamespace

import pytest
import torch

from bench.training import resources

RANGE = 1_000_000  # microjoules


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The counters of two processors; the core of one is counted in its package."""
    monkeypatch.setattr(resources, "RAPL", tmp_path)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "max_energy_range_uj").write_text(str(RANGE - 1))
        (tmp_path / name / "energy_uj").write_text("100000\n")
    return [tmp_path / f"intel-rapl:{number}" / "energy_uj" for number in (0, 1)]


def test_all_processors_are_added_also_past_the_end_of_a_counter(packages):
    with resources.EnergyMeter(torch.device("cpu")) as energy:
        packages[0].write_text("600000")  # 0.5 J
        packages[1].write_text("50000")  # past the end: 0.95 J
    assert energy.joules == pytest.approx(0.5 + 0.95)


def test_a_counter_may_begin_anew_more_than_once(monkeypatch):
    values = [100_000, *(700_000, 400_000, 100_000) * 2]  # 0.6, 0.7 and 0.7 J, twice
    monkeypatch.setattr(resources, "_of_processors", lambda: {"p": (values.pop(0) if len(values) > 1 else values[0], RANGE)})
    with resources.EnergyMeter(torch.device("cpu"), often=0.001) as energy:
        while len(values) > 1:
            time.sleep(0.001)
    assert energy.joules == pytest.approx(4.0)


def test_a_machine_without_counters_has_no_number(packages, tmp_path):
    with resources.EnergyMeter(torch.device("cpu")) as energy:
        packages[0].unlink()
    assert energy.joules is None
    with resources.EnergyMeter(torch.device("cpu")) as energy:
        pass
    assert energy.joules is None


def test_a_gpu_is_found_by_its_identity(monkeypatch):
    """CUDA_VISIBLE_DEVICES renumbers GPUs for torch, and not for NVML."""
    spent = {"GPU-other": iter([0, 0]), "GPU-ours": iter([5000, 7500])}  # millijoules
    library = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda name: name,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(spent[handle]),
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="ours"))
    with resources.EnergyMeter(torch.device("cuda", 0)) as energy:
        pass
    assert energy.joules == pytest.approx(2.5)
