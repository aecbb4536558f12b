"""Which test images were right: kept exactly, for each headline metric, and validated when read."""

import numpy as np
import pytest

from bench import outcomes, records
from bench.errors import UserError
from bench.running import cell
from tests.small_cells import job


@pytest.mark.parametrize("n", [1, 7, 8, 9, 360, 10_000])
def test_a_bitmap_comes_back_exactly(n):
    right = np.random.default_rng(n).random(n) < 0.7
    assert np.array_equal(outcomes.unpack(outcomes.pack(right), n), right)


@pytest.mark.parametrize("text", ["", "a", "****", "AAAA", "/w=="])  # the last sets bits beyond the seventh image
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):
        outcomes.unpack(text, 7)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return cell.run(job("raw_pixels", tmp_path_factory.mktemp("runs")))


def test_a_record_keeps_the_outcomes_of_each_headline_metric(record):
    assert set(record.outcomes) == {"linear_top1", "knn_top1"}
    for metric, text in record.outcomes.items():
        assert outcomes.unpack(text, record.data["test"]).mean() == pytest.approx(record.metrics[metric], abs=1e-12)


@pytest.mark.parametrize("text", ["***", "AA==", 3])
def test_a_record_with_a_damaged_bitmap_is_named(record, tmp_path, text):
    path = tmp_path / "seed0.json"
    records.write(record, path)
    assert records.read(path).outcomes == record.outcomes
    path.write_text(records.dumps(record).replace(f'"{record.outcomes["knn_top1"]}"', repr(text).replace("'", '"')))
    with pytest.raises(UserError, match="damaged: outcomes"):
        records.read(path)
