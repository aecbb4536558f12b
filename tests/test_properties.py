"""Whatever is typed or found in a file: a value or one line for the user, and never a part of a file."""

import dataclasses
import json
import math
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import budget as budgets
from bench import records
from bench.budget import Budget, parse_budget
from bench.cells import escaped
from bench.datasets.base import DataError
from bench.datasets.spec import OPTIONS, Spec, parse_spec, split_specs
from bench.errors import UserError
from bench.methods import registry
from bench.recipe import Training
from bench.records import Record
from bench.settings import apply, parse_assignments
from bench.training import checkpoint

CPU = torch.device("cpu")
WHOLE = ("images", "steps")  # costs that are whole numbers
quick = settings(max_examples=60, deadline=None)
near_budgets = st.from_regex(r"[0-9]{0,20}(\.[0-9]{0,12})?[kMGTPE ]?(ep|steps|img|s|min|h|FLOP|x)?", fullmatch=True)
near_specs = st.from_regex(
    r"(digits|cifar100)?:?((dev|(labels|classes|draw|fraction|images|test|px|x)=[0-9a-z.-]{0,8}),?){0,4}", fullmatch=True
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(st.text() | near_budgets)
def test_a_budget_is_read_or_refused(text):
    try:
        budget = parse_budget(text)
    except UserError as error:
        assert "what works" in str(error)
        return
    assert parse_budget(str(budget)) == budget
    assert budget.steps(10, 32) >= 1 or budget.seconds or budget.flops


@quick
@given(st.floats(1e-6, 1e9), st.sampled_from(["ep", *budgets.SECONDS]))
def test_every_budget_can_be_written_and_read(amount, unit):
    budget = Budget(amount, unit)
    assert parse_budget(str(budget)) == budget


@quick
@given(st.integers(1, 10**6), st.sampled_from(list(budgets.MULTIPLES)), st.sampled_from(budgets.COUNTED))
def test_so_can_every_whole_number(amount, multiple, unit):
    try:
        budget = parse_budget(f"{amount}{multiple}{unit}")
    except UserError as error:
        assert "below" in str(error)
        return
    assert parse_budget(str(budget)) == budget and budget.total == amount * budgets.MULTIPLES[multiple]


@quick
@given(st.text() | near_specs)
def test_a_spec_is_read_or_refused(text):
    for part in split_specs(text):
        try:
            spec = parse_spec(part)
        except DataError:
            continue
        assert parse_spec(str(spec)) == spec


@quick
@given(st.data(), st.booleans())
def test_every_spec_can_be_written_and_read(data, dev):
    values = {"labels": st.just("coarse"), "fraction": st.floats(1e-6, 1), "px": st.integers(8, 1024)}
    counts = {key: st.integers(2, 1000) for key in OPTIONS if key not in values}
    chosen = data.draw(st.fixed_dictionaries({}, optional=values | counts))
    chosen |= {"classes": 2} if "draw" in chosen else {}
    chosen.pop("fraction" if "images" in chosen else "", None)
    spec = parse_spec(str(Spec("digits", dev=dev, **chosen)))
    assert str(spec) == str(Spec("digits", dev=dev, **chosen)) and parse_spec(str(spec)) == spec


@quick
@given(st.lists(st.text() | st.from_regex(r"[a-z.]{0,9}=[0-9a-z.,-]{0,9}", fullmatch=True), max_size=3))
def test_assignments_are_read_or_refused(texts):
    try:
        found = parse_assignments(texts)
    except UserError:
        return
    assert all(a.key and a.value for a in found)


@quick
@given(st.data(), st.text(max_size=12) | st.floats().map(str) | st.integers().map(str))
def test_a_setting_fits_or_is_refused(data, text):
    kinds = [Training(batch_size=8, lr=0.1, weight_decay=0.0), *(m.config_type() for m in registry().values())]
    chosen = data.draw(st.sampled_from([kind for kind in kinds if dataclasses.fields(kind)]))
    key = data.draw(st.sampled_from([f.name for f in dataclasses.fields(chosen)]))
    try:
        changed = apply(chosen, {key: text})
    except UserError as error:
        assert key in str(error)
        return
    json.dumps(dataclasses.asdict(changed), allow_nan=False)


@quick
@given(st.text(min_size=1))
def test_a_name_is_one_plain_folder(name):
    try:
        folder = escaped(name)
    except UserError:
        assert not name.isprintable()
        return
    assert Path(folder).parts == (folder,) and not folder.startswith(".") and "/" not in folder and "\0" not in folder


@quick
@given(plain | st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Record)]), plain))
def test_a_foreign_record_is_read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t/b/1ep/m/seed0.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
        found, problems = records.read_all(Path(folder))
        assert len(found) + len(problems) == 1
        assert json.loads(path.read_text()) == content


@quick
@given(st.dictionaries(st.text().filter(lambda key: key not in WHOLE), st.floats(0, 1e12) | st.just(math.nan)), st.text())
def test_a_record_comes_back_as_it_was_written(cost, exception):
    record = Record("t", "b", "1ep", "m", 0, "failed", "m", cost=cost, error={"exception": exception, "traceback": ""})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t/b/1ep/m/seed0.json"
        records.write(record, path)
        again = records.read(path)
        assert records.dumps(again) == records.dumps(record)
        assert again.error == record.error
        assert [p.name for p in path.parent.iterdir()] == ["seed0.json"]


def test_what_json_cannot_hold_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        records.write(Record("t", "b", "1ep", "m", 0, "ok", cost={"x": object()}), tmp_path / "seed0.json")
    assert list(tmp_path.iterdir()) == []


@quick
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_checkpoint_or_none(content, with_header):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        path.write_bytes((checkpoint.MAGIC if with_header else b"") + content)
        assert checkpoint.load(path, "cell", CPU) is None


@quick
@given(st.text(), st.text())
def test_a_checkpoint_of_another_identity_is_never_used(mine, other):
    state = {"step": 3, "rng": torch.get_rng_state(), "cuda_rng": None}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        checkpoint.save(path, mine, state)
        found = checkpoint.load(path, other, CPU)
        assert (found is not None) == (mine == other)
        assert [p.name for p in Path(folder).iterdir()] == ["checkpoint"]
