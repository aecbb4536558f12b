"""Method specs: one spelling for one contender, variants side by side, and the records of before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench import recorded, records
from bench.budget import parse_budget
from bench.contenders import Contender, parse_contender, parse_contenders
from bench.datasets.registry import tracks
from bench.datasets.spec import Spec
from bench.errors import UserError
from bench.methods import registry
from bench.recipe import resolve
from bench.reporting import leaderboard
from bench.running import cell, places, session
from bench.running.plan import plan
from bench.running.selection import choose_contenders
from bench.settings import convert, parse_assignments, written
from tests import made_up
from tests.small_cells import job, options

SMALL = ("--datasets", "digits:fraction=0.2", "--budget", "1steps", "--device", "cpu", "--seeds", "1")


def recipe(text: str, images: int = 50_000, track: str = "cifar10"):
    one = parse_contender(text)
    return resolve(Spec(track), tracks()[track], images, registry()[one.method], parse_budget("1ep"), None, one.settings)


def chosen(text: str, *sets: str) -> list[str]:
    return [str(one) for one in choose_contenders(text, parse_assignments(sets))]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("simclr:temperature=0.2", "simclr"),
        ("simclr:temperature=0.50", "simclr:temperature=0.5"),
        ("simclr:temperature=5e-1", "simclr:temperature=0.5"),
        (" simclr : temperature = 0.5 ", "simclr:temperature=0.5"),
        ("moco:lr=0.12,batch_size=256", "moco:batch_size=256,lr=0.12"),
        ("moco:lr=0.03,batch_size=256", "moco:batch_size=256"),  # lr follows from the batch size
        ("moco:batch_size=512", "moco"),
        ("moco:momentum=auto", "moco"),
        ("moco:momentum=0", "moco:momentum=0"),
        ("moco:momentum=0.990", "moco"),
        ("ifnd_elim:base=simclr,clusters=250+100", "ifnd_elim:base=simclr,clusters=250+100"),
        ("ifnd_elim:base=simclr,temperature=0.2", "ifnd_elim:base=simclr"),
        ("ifnd_elim:temperature=0.1,base=simclr", "ifnd_elim:base=simclr,temperature=0.1"),
        ("ifnd_elim:clusters=100+250+500", "ifnd_elim"),
        ("ifnd_elim:detect_every=0.020", "ifnd_elim"),
        ("moco:symmetric=TRUE", "moco:symmetric=true"),
        ("hard_negatives:beta=2.0", "hard_negatives:beta=2"),
        ("simclr:lr=1e20", "simclr:lr=1e20"),
        ("simclr:activation_checkpointing=on", "simclr"),  # it changes no number
    ],
)
def test_a_contender_has_one_spelling(text, name):
    assert str(recipe(text).contender) == name
    assert str(recipe(name).contender) == name  # which stands for itself
    assert recipe(name).hash() == recipe(text).hash()


def test_what_changes_no_number_is_obeyed_and_not_named():
    assert recipe("simclr:activation_checkpointing=on").training.activation_checkpointing == "on"


def test_defaults_are_those_of_the_data():
    assert str(recipe("ifnd_elim:clusters=2+5+10", 1000).contender) == "ifnd_elim"
    assert str(recipe("ifnd_elim:clusters=2+5+10").contender) == "ifnd_elim:clusters=2+5+10"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("moco:temperature=0", "temperature takes a number above 0, or auto"),
        ("moco:queue_size=0", "queue_size takes a whole number at least 1, or auto"),
        ("simclr:temprature=1", "did you mean temperature"),
        ("simclr:queue_size=1", "simclr has no setting 'queue_size'"),
        ("random_init:lr=1", "random_init has no setting 'lr': it has none"),
        ("simclr:batch_size=100000", "exceeds the 50000 train images"),
        ("ifnd_elim:clusters=" + "+".join(map(str, range(100, 200))), "too long"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(text, hint):
    with pytest.raises(UserError, match=hint) as error:
        recipe(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["simclr:", "simclr:temperature", "simclr:=1", "simclr:temperature=", "simclr:lr=1|", "simclr:lr=1,lr=2"]
)
def test_a_spec_that_cannot_be_read(text):
    with pytest.raises(UserError, match="cannot read"):
        parse_contenders(text)


def test_a_colon_that_is_missing_is_offered():
    with pytest.raises(UserError, match="did you mean simclr:temp"):
        parse_contenders("simclr,temperature=0.5")


def test_commas_part_specs_and_settings():
    found = parse_contenders("ifnd_elim:base=simclr,clusters=100+250,moco,simclr:lr=1|2")
    assert list(map(str, found)) == ["ifnd_elim:base=simclr,clusters=100+250", "moco", "simclr:lr=1|2"]


def test_bars_make_the_grid():
    assert chosen("simclr:temperature=0.1|0.2,batch_size=64|128") == [
        f"simclr:batch_size={size},temperature={t}" for t in ("0.1", "0.2") for size in ("64", "128")
    ]


def test_set_makes_variants_of_all_that_have_the_key():
    assert chosen("simclr,moco,random_init", "temperature=0.5") == [
        "simclr:temperature=0.5",
        "moco:temperature=0.5",
        "random_init",
    ]
    assert chosen("simclr,moco", "moco.momentum=0.5|0.9") == ["simclr", "moco:momentum=0.5", "moco:momentum=0.9"]
    assert chosen("simclr:temperature=0.1,moco", "temperature=0.5") == ["simclr:temperature=0.1", "moco:temperature=0.5"]
    with pytest.raises(UserError, match="contradicts"):
        chosen("moco:momentum=0.1", "moco.momentum=0.5")


def test_wildcards_take_settings_too():
    assert chosen("ifnd*:base=simclr") == ["ifnd_attract:base=simclr", "ifnd_elim:base=simclr"]
    assert "random_init" in chosen("all:temperature=0.3") and "simclr:temperature=0.3" in chosen("all:temperature=0.3")
    with pytest.raises(UserError, match="no method of ifnd"):
        chosen("ifnd*:sigma=1")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_value_is_written_as_it_is_read(data):
    kind = registry()["ifnd_elim"].config_type
    number = data.draw(st.floats(1e-150, 1e149))
    assert convert(kind, "temperature", written(number)) == number
    counts = tuple(data.draw(st.lists(st.integers(2, 10**9), min_size=1)))
    assert convert(kind, "clusters", written(counts)) == counts


# Runs


def rows(out: Path) -> list[str]:
    (board,) = leaderboard.build(records.read_all(out)[0])
    return sorted(row.contender for row in board.rows)


def test_a_loop_and_a_sweep_are_the_same_three_rows(tmp_path, bench_command):
    """Settings that were asked for are never hidden by a record of others."""
    loop, sweep = tmp_path / "loop", tmp_path / "sweep"
    for t in ("0.1", "0.2", "0.5"):
        code, _, _ = bench_command("run", *SMALL, "--methods", "simclr", "--set", f"temperature={t}", "--out", str(loop))
        assert code == 0
    assert bench_command("run", *SMALL, "--methods", "simclr:temperature=0.1|0.2|0.5", "--out", str(sweep))[0] == 0
    assert rows(loop) == rows(sweep) == ["simclr", "simclr:temperature=0.1", "simclr:temperature=0.5"]
    found = {r.contender: r.recipe["config"]["temperature"] for r in made_up.read(loop)}
    assert found == {"simclr": 0.2, "simclr:temperature=0.1": 0.1, "simclr:temperature=0.5": 0.5}
    assert len(list((tmp_path / "loop-runs").rglob("seed0.safetensors"))) == 3


def test_two_spellings_of_one_contender_are_one_cell(tmp_path, bench_command):
    methods = "simclr,simclr:temperature=0.2|0.20"
    code, said, _ = bench_command("run", *SMALL, "--methods", methods, "--dry-run", "--out", str(tmp_path / "results"))
    assert code == 0 and "methods: simclr;" in said


# Records of before


def before(out: Path, text: str, given: dict) -> Path:
    """The record of a cell as it was written when settings were no part of a name."""
    cell = job(text, out).cell
    content = {"schema_version": 1, "track": str(cell.recipe.spec), "backbone": cell.recipe.backbone, "budget": "1ep"}
    content |= {"method": cell.recipe.method.name, "seed": 0, "status": "ok", "given": given, "recipe": cell.recipe.as_dict()}
    content |= {"recipe_hash": cell.recipe.hash(), "data": {"train": 287, "test": 360, "classes": 10}}
    path = out / cell.before(cell.record_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"batch_size": None, "sets": []}, "ifnd_elim"),
        ({"batch_size": 16, "sets": ["base=simclr"]}, "ifnd_elim:base=simclr,batch_size=16"),
        ({"batch_size": 128, "sets": ["ifnd_elim.clusters=3,9", "temperature=0.1"]}, "ifnd_elim:clusters=3+9"),
        (None, "ifnd_elim"),
    ],
)
def test_a_record_of_before_is_read_as_the_contender_that_it_is(tmp_path, given, name):
    before(tmp_path, "ifnd_elim", given)
    found, problems = records.read_all(tmp_path)
    assert not problems
    (board,) = leaderboard.build(found)
    assert [row.contender for row in board.rows] == [name]


def test_one_of_other_settings_hides_no_run_and_makes_room(tmp_path):
    path = before(tmp_path, "simclr:temperature=0.5", {"batch_size": None, "sets": ["temperature=0.5"]})
    (encoder := path.with_suffix(".safetensors")).write_bytes(b"of the variant")
    plain, variant = job("simclr", tmp_path).cell, job("simclr:temperature=0.5", tmp_path).cell
    assert places.find(plain, tmp_path) is None
    assert recorded.contender(places.find(variant, tmp_path).record) == "simclr:temperature=0.5"
    for one in (plain, variant, plain):
        places.settle(one, tmp_path, tmp_path)
    assert not path.exists() and not encoder.exists()
    assert (tmp_path / variant.encoder_path).read_bytes() == b"of the variant"
    assert (
        recorded.contender(places.find(variant, tmp_path).record) == "simclr:temperature=0.5"
        and places.find(plain, tmp_path) is None
    )
    assert not records.read_all(tmp_path)[1]


def test_one_of_before_is_computed_again_where_that_is_asked_for(tmp_path):
    asked = options(tmp_path, "simclr", "2steps", sets=["temperature=0.5"], on_existing="rerun")
    (task,), _ = plan(asked)
    out, record = asked.out, cell.blank(task.cell)
    record.status, record.contender = "ok", ""
    record.given = {"batch_size": 16, "sets": ["temperature=0.5"]}
    old = out / task.cell.before(task.cell.record_path)
    records.write(record, old)
    assert session.run(asked, Console(quiet=True), False) == 0
    assert not old.exists() and records.read(out / task.cell.record_path).metrics


def test_a_record_in_the_folder_of_another_contender_is_told(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    one = made_up.record(made_up.FEW[0], 0)
    one.contender = "alpha:lr=1"
    made_up.write(tmp_path, [one])
    next(tmp_path.rglob("seed0.json")).parent.rename(tmp_path / made_up.TRACK / "resnet18" / "10ep" / "alpha")
    assert "is the record of alpha:lr=1, seed 0" in records.read_all(tmp_path)[1][0]


def test_a_spec_is_called_what_its_board_calls_it(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    record = made_up.record(made_up.FEW[0], 0)
    assert recorded.called("alpha:batch_size=512", record) == "alpha"
    assert recorded.called("alpha: lr=0.50", record) == "alpha:lr=0.5"


def test_contenders_are_values():
    assert Contender("a", {"x": "1", "y": "2"}) == Contender("a", {"y": "2", "x": "1"})
    assert len({Contender("a", {"x": "1"}), Contender("a", {"x": "1"}), Contender("a")}) == 2
