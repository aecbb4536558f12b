"""Collapse is measured as its sources say, is refused by `check`, and stands in the record."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch import nn

from bench.datasets.store import Store
from bench.errors import UserError
from bench.methods.byol import Byol
from bench.running import cell, check
from bench.training import collapse
from tests import small_cells


class WithoutPredictor(Byol):
    """The textbook case: a constant fits it best."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.predictor = nn.Identity()


def test_check_refuses_byol_without_its_predictor():
    with pytest.raises(UserError, match="the method collapses: its loss fell by"):
        list(check.check(WithoutPredictor))


def test_the_numbers_are_those_of_their_sources():
    x = torch.randn(60, 8) + 0.5
    found = collapse.spread(x)
    z = x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True)
    assert found["embedding_std"] == pytest.approx(np.sqrt(8) * np.sqrt((z.std(0) ** 2).mean()))
    p = np.linalg.svd(x.double().numpy(), compute_uv=False)
    p = p / p.sum() + 1e-7
    assert found["embedding_rank"] == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert found["uniformity"] == pytest.approx(np.log(np.exp(-2 * pdist(z) ** 2).mean()))


def test_limits_of_the_spread():
    same = torch.ones(50, 6) + 1e-4 * torch.randn(50, 6)
    found = collapse.spread(same)
    assert collapse.collapsed(found) and found["embedding_rank"] < 1.1 and abs(found["uniformity"]) < 1e-3
    whole = collapse.spread(torch.randn(5000, 6))
    assert not collapse.collapsed(whole)
    assert whole["embedding_std"] == pytest.approx(1, abs=0.01) and whole["embedding_rank"] == pytest.approx(6, abs=0.05)
    assert collapse.spread(torch.full((4, 3), torch.nan)) == {} and not collapse.collapsed({})


def test_alignment_is_zero_where_augmentation_does_nothing_and_draws_no_global_number():
    store = Store(torch.randint(0, 256, (30, 3, 8, 8), dtype=torch.uint8), torch.zeros(30, dtype=torch.int64))
    still = replace(check.POLICY, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0.0, jitter_probability=0.0, gray=0.0)
    encoder, before = check.TinyEncoder(), torch.get_rng_state()
    device = torch.device("cpu")
    assert collapse.alignment(encoder, store, still, 8, device)["alignment"] == pytest.approx(0, abs=1e-10)
    assert collapse.alignment(encoder, store, check.POLICY, 8, device)["alignment"] > 1e-4
    assert torch.equal(before, torch.get_rng_state()) and encoder.training


def test_the_spread_is_of_the_whole_split():
    """A store is sorted by label: the last class counts too."""
    x = torch.ones(1000, 6)
    x[600:] = torch.randn(400, 6)
    assert not collapse.collapsed(collapse.spread(x))


@pytest.mark.parametrize(("least", "marked"), [(0.0, False), (10.0, True)])
def test_a_record_says_whether_its_embeddings_collapsed(tmp_path, monkeypatch, least, marked):
    monkeypatch.setattr(collapse, "LEAST", least)
    record = cell.run(small_cells.job("simclr:batch_size=32", tmp_path, "2steps"))
    assert record.collapsed is marked and record.curve[-1]["embedding_std"] > 0
