"""Linear evaluation on a share of the labels: which images, which strength, which columns, and without training again."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import top_k_accuracy_score
from sklearn.preprocessing import StandardScaler

from bench.errors import UserError
from bench.evaluation import default, protocol
from bench.evaluation import few_labels as labels
from bench.evaluation.frozen import Features, Frozen
from bench.evaluation.linear import STRENGTHS
from bench.metrics import METRICS, on_a_share
from bench.reporting import leaderboard, report
from bench.running import cell, reevaluate
from tests import made_up, small_cells
from tests.commands import exit_code

SMALL = ("--datasets", "digits:fraction=0.2", "--budget", "1ep", "--batch-size", "32", "--device", "cpu", "--seeds", "1")
UNEVEN = torch.repeat_interleave(torch.arange(4), torch.tensor([500, 200, 40, 3]))[torch.randperm(743)]


@pytest.fixture(scope="module")
def clusters():
    """Train [1200, 20] and test [600, 20] of 6 overlapping classes, 200 and 100 images each."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(1800) % 6
    centres = torch.randn(6, 20, generator=generator)
    values = 5 + centres[targets] + 1.2 * torch.randn(1800, 20, generator=generator)
    return Features(values[:1200], targets[:1200]), Features(values[1200:], targets[1200:])


# Which images


def test_names_are_percentages_whatever_way_fractions_are_written():
    assert labels.parse_fractions("0.1, 1e-2,.005,1") == (0.005, 0.01, 0.1, 1.0)
    assert [on_a_share("k", f) for f in (0.005, 0.01, 0.07, 0.1, 1.0)] == ["k@0.5%", "k@1%", "k@7%", "k@10%", "k@100%"]
    assert labels.parse_fractions(None) == ()


@pytest.mark.parametrize(("fraction", "of_each"), [(0.001, [1, 1, 1, 1]), (0.01, [5, 2, 1, 1]), (0.1, [50, 20, 4, 1])])
def test_every_class_gives_the_same_share_and_at_least_one_image(fraction, of_each):
    assert UNEVEN[labels.subset(UNEVEN, fraction)].bincount().tolist() == of_each


def test_smaller_subsets_lie_inside_larger_ones_and_the_whole_is_all():
    chosen = [set(labels.subset(UNEVEN, fraction).tolist()) for fraction in (0.001, 0.005, 0.01, 0.1, 0.5, 1.0)]
    assert all(small <= large for small, large in pairwise(chosen))
    assert len(chosen[-1]) == len(UNEVEN)


def test_the_subset_is_drawn_by_chance_but_not_by_the_seed_of_the_run():
    first = labels.subset(UNEVEN, 0.1)
    torch.manual_seed(1)
    assert torch.equal(first, labels.subset(UNEVEN, 0.1))
    ordered = torch.arange(1000) // 500
    assert labels.subset(ordered, 0.1).tolist() != [*range(50), *range(500, 550)]


def test_two_seeds_see_the_same_labels(tmp_path):
    jobs = [
        small_cells.job("raw_pixels", tmp_path, seed=seed, evaluators=(*default(), labels.FewLabels([0.1]))) for seed in (0, 1)
    ]
    first, second = (cell.run(job) for job in jobs)
    assert first.metrics == second.metrics and first.evaluation == second.evaluation


# Which strength


@pytest.mark.parametrize(
    ("each", "how", "held"), [(1, "fixed: C = 1", []), (2, "2 folds", [1] * 2), (9, "5 folds", [2, 2, 2, 2, 1])]
)
def test_a_class_too_small_for_a_tenth_is_folded(each, how, held):
    targets = torch.arange(3).repeat(each)
    said, parts = labels.splits(targets)
    assert said == how and [targets[part.held].bincount().tolist() for part in parts] == [[n] * 3 for n in held]
    assert sorted(row for part in parts for row in part.held.tolist()) == (list(range(len(targets))) if parts else [])
    assert all(sorted(torch.cat(part).tolist()) == list(range(len(targets))) for part in parts)


def test_from_ten_images_a_class_it_is_the_held_out_tenth_of_the_subset():
    targets = torch.arange(3).repeat(10)
    said, (part,) = labels.splits(targets)
    assert said == "held-out tenth" and targets[part.held].bincount().tolist() == [1, 1, 1]


@pytest.mark.parametrize("fraction", [0.005, 0.02, 0.1, 0.5])
def test_it_is_scikit_learns_on_the_same_images(clusters, fraction):
    train, test = clusters
    found, chosen, _ = labels.FewLabels([fraction]).evaluate(Frozen(train, test, 6))
    rows = labels.subset(train.labels, fraction)
    scaler = StandardScaler().fit(train.values[rows].double().numpy())
    x, y = scaler.transform(train.values[rows].double().numpy()), train.labels[rows].numpy()
    strength = chosen[on_a_share("linear_strength", fraction)]
    reference = LogisticRegression(C=1 / (strength * len(rows)), max_iter=5000, tol=1e-8).fit(x, y)
    scores = reference.predict_proba(scaler.transform(test.values.double().numpy()))
    for k in (1, 5):
        theirs = top_k_accuracy_score(test.labels.numpy(), scores, k=k)
        assert abs(found[on_a_share(f"linear_top{k}", fraction)] - theirs) < 0.001
    assert chosen[on_a_share("linear_images", fraction)] == len(rows) == 6 * round(200 * fraction)


def test_folds_choose_what_scikit_learn_scores_best(clusters):
    train, test = clusters
    rows = labels.subset(train.labels, 0.045)  # nine images a class
    few = Features(train.values[rows], train.labels[rows])
    _, parts = labels.splits(few.labels)
    scores = np.zeros(len(STRENGTHS))
    for fit, held in parts:
        scaler = StandardScaler().fit(few.values[fit].double().numpy())
        x, x_held = (scaler.transform(few.values[part].double().numpy()) for part in (fit, held))
        for i, strength in enumerate(STRENGTHS):
            reference = LogisticRegression(C=1 / (strength * len(fit)), max_iter=5000).fit(x, few.labels[fit].numpy())
            scores[i] += reference.score(x_held, few.labels[held].numpy()) / len(parts)
    _, chosen, _ = labels.FewLabels([0.045]).evaluate(Frozen(train, test, 6))
    assert chosen["linear_chosen_by@4.5%"] == "5 folds"
    assert chosen["linear_held_out_top1@4.5%"] == pytest.approx(scores.max(), abs=0.03)  # while choosing, the tolerance is wide
    assert scores[STRENGTHS.index(chosen["linear_strength@4.5%"])] > scores.max() - 0.03


def test_all_labels_are_the_usual_evaluation(clusters):
    usual = protocol.evaluate(*clusters, 6).metrics
    assert labels.FewLabels([1.0]).evaluate(Frozen(*clusters, 6)).metrics == {
        f"{key}@100%": usual[key] for key in ("linear_top1", "linear_top5")
    }


# Columns


def board(out, monkeypatch, shares=()):
    """The files of a leaderboard; one of its methods has metrics on ``shares`` of the labels."""
    made_up.install(monkeypatch)
    made = made_up.few()
    for record in made:
        if record.method in ("alpha", "beta") and record.status == "ok":
            for share in shares:
                record.metrics |= {f"linear_top{k}@{share}": record.metrics[f"linear_top{k}"] / 2 for k in (1, 5)}
    made_up.write(out, made)
    files, _ = report.render(out)
    return {path.name: getattr(file, "content", "") for path, file in files.items()}


def test_columns_where_some_record_has_them(tmp_path, monkeypatch):
    files = board(tmp_path, monkeypatch, ["10%", "1%"])
    (made,) = leaderboard.build(made_up.read(tmp_path))
    assert [title for title in made.metrics.values() if "@" in title] == ["linear@1%", "linear@10%"]
    rows = [line for line in files["leaderboard.md"].splitlines() if line.startswith("|")]
    place = [cell.strip() for cell in rows[0].split("|")].index("linear@1%")
    shown = {line.split("|")[2].strip(): line.split("|")[place].strip() for line in rows[2:6]}
    half = made.ranked[0].interval("linear_top1@1%")
    assert shown["alpha"] == f"{100 * half.mean:.2f} ± {100 * half.half:.2f}" and shown["gamma"] == "–"
    assert "linear@x%: fitted" in files["leaderboard.md"]
    assert "linear@1\\% & linear@10\\%" in files["leaderboard.tex"]
    assert "linear_top1@1%,linear_top1@1%_half," in files["leaderboard.csv"] and "top5@" not in files["leaderboard.csv"]


def test_and_only_then(tmp_path, monkeypatch):
    files = board(tmp_path, monkeypatch)
    assert not any("linear@" in files[name] or "top1@" in files[name] for name in files if name != report.PAGE)
    assert leaderboard.build(made_up.read(tmp_path))[0].metrics == METRICS


# Evaluated only


@pytest.mark.parametrize("method", ["simclr", "random_init", "raw_pixels"])
def test_added_later_is_bit_for_bit_what_asked_for_at_once_gives(method, tmp_path):
    job = small_cells.job(method if method.endswith(("init", "pixels")) else f"{method}:batch_size=32", tmp_path)
    at_once = cell.run(replace(job, evaluators=(*default(), labels.FewLabels([0.05, 0.1]))))
    record = cell.run(job)
    for fraction in (0.1, 0.05):
        record = reevaluate.run(replace(job, evaluators=(labels.FewLabels([fraction]),), completes=record))
    assert list(record.metrics.items()) == list(at_once.metrics.items())
    assert list(record.evaluation.items()) == list(at_once.evaluation.items())
    assert {"linear_top1@5%", "linear_top5@10%"} <= set(record.metrics) and record.recipe_hash == at_once.recipe_hash


def test_the_encoder_of_another_run_is_not_taken_for_its_own(tmp_path):
    job = small_cells.job("simclr:batch_size=32", tmp_path)
    record = cell.run(job)
    record.metrics["knn_top1"] -= 0.1
    with pytest.raises(UserError, match="of another run"):
        reevaluate.run(replace(job, evaluators=(*default(), labels.FewLabels([0.1])), completes=record))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Records of two cells that were run without labels, and their encoders."""
    folder = tmp_path_factory.mktemp("trained")
    assert exit_code("run", *SMALL, "--methods", "simclr,raw_pixels", "--out", folder / "results") == 0
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def read(folder):
    found = [json.loads(path.read_text()) for path in folder.glob("results/*/*/*/*/seed0.json")]
    return {record["method"]: record for record in found}


def test_a_record_that_lacks_labels_is_completed_once_and_keeps_the_rest(folder, bench_command):
    before = read(folder)
    arguments = ("run", *SMALL, "--methods", "simclr,raw_pixels", "--out", str(folder / "results"), "--labels", "0.1")
    plan = "2 have a record already, 0 to run; 2 of the records lack metrics asked for: to evaluate only"
    code, out, _ = bench_command(*arguments, "--dry-run")
    assert code == 0 and plan in out and read(folder) == before
    code, out, _ = bench_command(*arguments)
    after = read(folder)
    assert code == 0 and plan in out and "| linear@10% |" in " ".join(out.split())
    for name, record in after.items():
        assert {key for key in record if record[key] != before[name][key]} == {"metrics", "evaluation", "evaluators"}
        assert before[name]["metrics"].items() < record["metrics"].items()
    assert "evaluate only" not in bench_command(*arguments)[1] and read(folder) == after


def test_without_its_encoder_a_record_stays_as_it_is(folder, bench_command):
    before = read(folder)
    arguments = ("run", *SMALL, "--methods", "simclr", "--out", str(folder / "results"), "--labels", "0.1")
    path = next(folder.glob("runs/*/*/*/simclr*/seed0.safetensors"))
    path.write_bytes(b"damaged")
    code, out, _ = bench_command(*arguments)
    assert code == 1 and out.count("the record stays as it is") == 1 and read(folder) == before
    path.unlink()
    code, out, _ = bench_command(*arguments)
    assert code == 1 and out.count("their encoders are gone") == 1 and "--on-existing rerun" in out and read(folder) == before
    code, _, _ = bench_command(*arguments, "--on-existing", "rerun")
    assert code == 0 and "linear_top1@10%" in read(folder)["simclr"]["metrics"]


def test_a_stale_record_is_not_completed(folder, bench_command):
    path = next(folder.glob("results/*/*/*/simclr*/seed0.json"))
    record = json.loads(path.read_text())
    record["recipe"]["training"]["lr"] = 0.01
    path.write_text(json.dumps(record))
    before = read(folder)
    arguments = ("run", *SMALL, "--methods", "simclr", "--out", str(folder / "results"), "--labels", "0.1")
    code, out, _ = bench_command(*arguments)
    assert code == 0 and "1 of the skipped records are stale" in out and "evaluate only" not in out and read(folder) == before
