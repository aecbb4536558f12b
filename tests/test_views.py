"""The views that a method asks for, and how the loader makes them."""

from dataclasses import replace

import torch

from bench.budget import parse_budget
from bench.datasets.augment import Policy, View, augment
from bench.datasets.loader import Loader, derived_seed
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.datasets.store import Store
from bench.methods import registry
from bench.recipe import resolve

POLICY = Policy(mean=(0.5,) * 3, std=(0.25,) * 3)
SOLARIZED = replace(POLICY, solarize=0.5)
LOCAL = replace(POLICY, crop_scale=(0.05, 0.2))
STORE = Store(torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8), torch.zeros(20, dtype=torch.int64))
CPU = torch.device("cpu")


def batch(*views: View, step: int = 3) -> list[torch.Tensor]:
    return Loader(STORE, POLICY, 12, 8, seed=5, device=CPU, views=views or None).batch(step)[0]


def test_two_equal_views_are_one_augmentation_call_seeded_by_seed_and_step():
    loader = Loader(STORE, POLICY, 12, 8, seed=5, device=CPU)
    images = STORE.images[loader.index(3)].repeat(2, 1, 1, 1)
    generator = torch.Generator().manual_seed(derived_seed("views", 5, 3))
    expected = augment(POLICY, images, None, 12, generator, derived_seed("order", 5, 3))
    for views in (batch(), batch(View(POLICY, 12, 2)), batch(View(POLICY, 12), View(POLICY, 12))):
        assert torch.equal(torch.cat(views), expected)


def test_views_come_in_the_order_asked_for():
    views = batch(View(POLICY, 12), View(SOLARIZED, 12), View(LOCAL, 6, 3), View(POLICY, 12))
    assert [view.shape[-1] for view in views] == [12, 12, 6, 6, 6, 12]
    assert torch.equal(torch.cat([views[0], views[5]]), torch.cat(batch()))
    flat = [view.flatten() for view in views[2:5]]
    assert not torch.equal(flat[0], flat[1]) and not torch.equal(flat[1], flat[2])
    again = batch(View(POLICY, 12), View(SOLARIZED, 12), View(LOCAL, 6, 3), View(POLICY, 12))
    assert all(torch.equal(a, b) for a, b in zip(views, again, strict=True))


def test_a_recipe_shows_views_only_where_they_differ_from_the_tracks():
    track, budget = tracks()["digits"], parse_budget("1ep")

    def recipe(kind):
        return resolve(Spec("digits"), track, 1000, kind, budget).as_dict()

    plain = registry()["simclr"]

    class Solarized(plain):
        @classmethod
        def views(cls, config, policy, size):
            return (View(policy, size), View(replace(policy, solarize=0.2), size))

    assert "views" not in recipe(plain) and "views" not in recipe(registry()["fnc"])
    assert [view["policy"].get("solarize") for view in recipe(Solarized)["views"]] == [None, 0.2]
    assert "solarize" not in recipe(plain)["policy"]
