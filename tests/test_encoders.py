"""Encoders from elsewhere: what is taken is taken whole, by a rule that is said; what does not fit is one line."""

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from lightly.models import ResNetGenerator
from torch import nn

import bench
from bench import records, state_dicts
from bench.encoders import open_encoder
from bench.errors import UserError
from bench.evaluation import features as features_module
from bench.evaluation.evaluator import description
from bench.evaluation.spectrum import Spectrum
from bench.records import Record
from bench.reporting import leaderboard, report
from bench.running import external
from bench.running.cell import run
from bench.running.plan import plan
from tests import made_up, small_cells

OWN = """
import torch
from torch import nn

class Small(nn.Module):
    num_features = 6

    def __init__(self, channels=1, size=8):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, images):
        return self.body(images).flatten(1)

class Broken(Small):
    def __init__(self, **given):
        raise RuntimeError("no such thing")

class Maps(Small):
    def forward(self, images):
        return self.body[0](images)

class Later(Small):
    def forward(self, images):
        if len(images) > 2:
            raise ValueError("too many\\nat a time")
        return super().forward(images)

class Huge(Small):
    def forward(self, images):
        return super().forward(images).expand(len(images), 6)[:, :1].expand(len(images), 10**13)

class Leaves(Small):
    def __init__(self):
        raise SystemExit(3)

class Drops(Small):
    def forward(self, images):
        return nn.functional.dropout(super().forward(images), 0.5, training=True)

class Trains(Small):
    def train(self, mode=True):
        return super().train(True)

class Empty(Small):
    def __init__(self):
        with torch.device("meta"):
            super().__init__()

class Sparse(Small):
    def forward(self, images):
        return super().forward(images).to_sparse()

def number():
    return 3
"""


def stirred(network: nn.Module) -> nn.Module:
    """With statistics that are not those of a fresh one."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.1)
    return network.eval()


def features(network: nn.Module, side: int = 64) -> torch.Tensor:
    with torch.no_grad():
        return network(torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))).flatten(1)


def same(opened, network: nn.Module, side: int = 64) -> bool:
    return torch.allclose(features(opened.network, side), features(network, side), rtol=1e-4, atol=1e-5)


def test_a_cells_own_export_has_its_records_metrics_to_the_bit(tmp_path, bench_command):
    job = small_cells.job("simclr:batch_size=16", tmp_path / "runs", budget="20steps", data="digits:fraction=0.2,classes=5")
    record = run(job)
    path = tmp_path / "runs" / job.cell.encoder_path
    assert bench.evaluate(path, "digits:fraction=0.2,classes=5", device="cpu") == record.metrics
    flags = ["--datasets", "digits:fraction=0.2,classes=5", "--device", "cpu", "--out", str(tmp_path / "results")]
    code, out, _ = bench_command("evaluate", str(path), *flags, "--name", "mine")
    assert code == 0 and "every key taken" in out
    (made,) = (tmp_path / "results").rglob("seed0.json")
    found = json.loads(made.read_text())
    assert found["metrics"] == record.metrics and found["outcomes"] == record.outcomes and found["role"] == "external"
    assert len(found["recipe"]["sha256"]) == 64
    report.write(report.render(tmp_path / "results")[0])
    table = (tmp_path / "results" / "leaderboard.md").read_text()
    assert table.index("encoders from elsewhere") < table.index("| mine ")


def test_torchvisions_state_dict(tmp_path):
    theirs = stirred(torchvision.models.resnet18())
    torch.save(theirs.state_dict(), tmp_path / "e.pth")
    opened = open_encoder(str(tmp_path / "e.pth"), "resnet18")
    theirs.fc = nn.Identity()
    assert same(opened, theirs)
    assert opened.said == ("120 keys taken: no prefix; left out: fc (2)",)


def test_lightlys_numbered_children(tmp_path):
    class Model(nn.Module):  # as in lightly's examples
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(*list(torchvision.models.resnet18().children())[:-1])
            self.projection_head = nn.Linear(512, 8)

    theirs = stirred(Model())
    torch.save({"epoch": 3, "state_dict": theirs.state_dict()}, tmp_path / "e.ckpt")
    opened = open_encoder(str(tmp_path / "e.ckpt"), "resnet18")
    assert same(opened, theirs.backbone)
    assert opened.said == (
        "120 keys taken: prefix 'backbone.' removed, numbered children taken in their order; left out: projection_head (2)",
    )


def test_lightlys_own_resnet_with_a_small_stem(tmp_path):
    children = list(ResNetGenerator("resnet-18").children())
    theirs = stirred(nn.Sequential(*children[:-1], nn.AdaptiveAvgPool2d(1)))
    torch.save(theirs.state_dict(), tmp_path / "e.pt")
    opened = open_encoder(str(tmp_path / "e.pt"), "resnet18")
    assert "stem: 3 x 3" in opened.said[1] and "without act1 and maxpool" in opened.said[2] and same(opened, theirs, 32)


def test_mocos_query_encoder_is_taken_and_all_else_is_listed(tmp_path):
    query, key = stirred(torchvision.models.resnet18(num_classes=8)), stirred(torchvision.models.resnet18(num_classes=8))
    state = {f"module.encoder_q.{k}": v for k, v in query.state_dict().items()}
    state |= {f"module.encoder_k.{k}": v for k, v in key.state_dict().items()} | {"module.queue": torch.zeros(8, 16)}
    torch.save({"arch": "resnet18", "state_dict": state}, tmp_path / "moco.pth.tar")
    opened = open_encoder(str(tmp_path / "moco.pth.tar"), "resnet18")
    query.fc = nn.Identity()
    assert same(opened, query)
    assert opened.said[0].endswith("left out: module.encoder_q.fc (2), module.encoder_k (122), module.queue (1)")
    found = state_dicts.match(state, opened.network.state_dict())
    assert len(found.keys) + sum(found.left_out.values()) == len(state)


def test_what_else_a_file_holds_is_listed(tmp_path):
    one, two = stirred(torchvision.models.resnet18(num_classes=8)), stirred(torchvision.models.resnet18(num_classes=8))
    torch.save({"model_ema": one.state_dict(), "model": two.state_dict(), "epoch": 3}, tmp_path / "two.pth")
    opened = open_encoder(str(tmp_path / "two.pth"), "resnet18")
    two.fc = nn.Identity()
    assert same(opened, two)
    assert opened.said[0] == "'model' of the file is read; other networks in it are left out: model_ema (122)"


def test_solo_learns_checkpoint_of_lightning(tmp_path):
    theirs = stirred(torchvision.models.resnet18())
    theirs.fc = nn.Identity()
    state = {f"backbone.{k}": v for k, v in theirs.state_dict().items()} | {"projector.0.weight": torch.zeros(4, 512)}
    state |= {f"momentum_backbone.{k}": v + 1 for k, v in theirs.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 1, "hyper_parameters": {"name": "byol"}}, tmp_path / "s.ckpt")
    assert same(open_encoder(str(tmp_path / "s.ckpt"), "resnet18"), theirs)


def test_timm_with_local_weights_and_from_a_folder(tmp_path):
    theirs = stirred(timm.create_model("test_vit", num_classes=0))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    opened = open_encoder("timm:test_vit", weights=tmp_path / "w.pth")
    side = theirs.patch_embed.img_size[0]
    assert same(opened, theirs, side)
    timm.models.save_for_hf(theirs, tmp_path / "hf", model_config={"num_classes": 0})
    assert same(open_encoder(f"timm:local-dir:{tmp_path / 'hf'}"), theirs, side)
    with pytest.raises(UserError, match="nothing is random"):
        open_encoder("timm:test_vit")


def test_one_s_own_class(tmp_path, bench_command):
    path = tmp_path / "net.py"
    path.write_text(OWN)
    theirs = open_encoder(f"{path}:Small").network
    torch.save(stirred(theirs).state_dict(), tmp_path / "w.pth")
    opened = open_encoder(f"{path}:Small", weights=tmp_path / "w.pth")
    assert all(torch.equal(a, b) for a, b in zip(opened.network.state_dict().values(), theirs.state_dict().values(), strict=True))
    theirs.train()
    metrics = bench.evaluate(theirs, "digits:fraction=0.2,classes=5", evaluators="clustering", device="cpu")
    assert theirs.training, "the caller's module stays as it was"
    assert {"linear_top1", "cluster_nmi"} <= set(metrics)
    flags = ("--datasets", "digits:fraction=0.2,classes=5", "--device", "cpu", "--out", str(tmp_path / "results"))
    assert bench_command("evaluate", f"{path}:Small", *flags)[0] == 0
    path.write_text(OWN + "\n# another one\n")
    code, _, error = bench_command("evaluate", f"{path}:Small", *flags)
    assert code == 2 and "the record of another file" in error and "choose another --name" in error


def test_the_weights_of_a_class_belong_to_its_source(tmp_path):
    path, weights = tmp_path / "net.py", tmp_path / "w.pth"
    path.write_text(OWN)
    torch.save(open_encoder(f"{path}:Small").network.state_dict(), weights)
    before = open_encoder(f"{path}:Small", weights=weights).digest
    path.write_text(OWN.replace("flatten(1)", "flatten(1) * 2"))
    assert open_encoder(f"{path}:Small", weights=weights).digest != before


class Shell:
    def __reduce__(self):
        return os.system, ("touch ran",)


def _write_odd_files() -> None:
    Path("net.py").write_text(OWN)
    Path("caf\udce9.py").write_text(OWN)
    Path("syntax.py").write_text("def")
    state = torchvision.models.resnet34().state_dict()
    torch.save(state, "deep.pth")
    torch.save({k.replace("conv1", "first"): v for k, v in torchvision.models.resnet18().state_dict().items()}, "renamed.pth")
    torch.save({"conv1.weight": torch.zeros(64, 5, 7, 7)}, "channels.pth")
    torch.save({"epoch": 3}, "empty.pth")
    torch.save({"net": state}, "named.pth")
    state = torchvision.models.resnet18().state_dict()
    torch.save({k: v.to(torch.int8) for k, v in state.items()}, "quantised.pth")
    torch.save({k: v.to_sparse() if v.ndim else v for k, v in state.items()}, "sparse.pth")
    itself = {}
    itself["model"] = itself
    torch.save(itself, "itself.pth")
    Path("evil.pth").write_bytes(pickle.dumps(Shell()))
    Path("text.pth").write_text("hello")


def test_what_does_not_fit_is_one_line(tmp_path, bench_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write_odd_files()
    small = ("--datasets", "digits:fraction=0.2,classes=5", "--device", "cpu", "--out", "results")
    cases = {
        ("gone.pth",): "there is no such file",
        ("deep.pth",): "--backbone",
        ("deep.pth", "--backbone", "resnet18"): "keys too many",
        ("deep.pth", "--backbone", "resnet50"): "missing or of another shape",
        ("deep.pth", "--backbone", "resnet81"): "did you mean",
        ("renamed.pth", "--backbone", "resnet18"): "missing or of another shape",
        ("channels.pth", "--backbone", "resnet18"): "missing or of another shape",
        ("empty.pth", "--backbone", "resnet18"): "holds no state dict",
        ("itself.pth", "--backbone", "resnet18"): "holds no state dict",
        ("quantised.pth", "--backbone", "resnet18"): "missing or of another shape or kind (conv1.weight, ...)",
        ("sparse.pth", "--backbone", "resnet18"): "missing or of another shape or kind (conv1.weight, ...)",
        ("evil.pth", "--backbone", "resnet18"): "would run code",
        ("text.pth", "--backbone", "resnet18"): "text.pth",
        ("net.py:Broken",): "RuntimeError: no such thing",
        ("net.py:Nobody",): "defines no Nobody",
        ("net.py:Later",): "1 x 8 x 8: ValueError: too many",
        ("net.py:Leaves",): "SystemExit: 3",
        ("net.py:Small", "--backbone", "resnet18"): "leave --backbone out",
        ("net.py:Small", "--datasets", "digits:classes=5,shapes:classes=5"): "cannot take images of 3 x 32 x 32",
        ("empty.pth", "--backbone", "net.py:Small"): "net.py:Small --weights empty.pth",
        ("net.py:number",): "not a torch.nn.Module",
        ("net.py:Maps",): "not features float [2, D]",
        ("net.py:Small", "--evaluators", "nonsense"): "unknown evaluator 'nonsense'",
        ("net.py:Small", "--name", "a\nb"): "letters that are not printable",
        ("caf\udce9.py:Small",): "letters that are not printable",
        ("net.py:Huge",): "memory was refused",
        ("net.py:Drops",): "features of the same images differ from call to call",
        ("net.py:Trains",): "features of an image depend on the others of its batch",
        ("net.py:Empty",): "weights on the meta device",
        ("net.py:Sparse",): "(sparse_coo)",
        ("net.py",): "write net.py:CLASS",
        (".",): "it is a folder",
        ("net.py:Small", "--name", " "): "--name is blank",
        ("named.pth", "--backbone", "resnet18"): "tensors are under 'net'",
        ("net.py:Small", "--transfer-to", "cifar100", "--data-dir", "."): "cifar100 is not in",
        ("syntax.py:Net",): "SyntaxError",
        ("gone.py:Net",): "there is no file",
    }
    for given, expected in cases.items():
        code, _, error = bench_command("evaluate", *small, *given)
        assert code == 2 and expected in error and error.count("\n") == 1, (given, error)
    assert not Path("ran").exists() and not list(Path().rglob("seed0.json"))


class Reuses(nn.Module):
    """Its output is a view of what the next batch is written to."""

    def __init__(self):
        super().__init__()
        self.register_buffer("tokens", torch.zeros(64, 9, 5))

    def forward(self, images):
        self.tokens[: len(images)] = images.flatten(1)[:, None, :5]
        return self.tokens[: len(images), 0]


def test_features_are_kept_as_they_were_and_without_the_tokens_around_them():
    batches = torch.randn(3, 64, 1, 4, 4)
    found = features_module.extract(Reuses(), batches, torch.device("cpu"))
    assert torch.equal(found, batches.flatten(0, 1).flatten(1)[:, :5])
    assert features_module._own(Reuses()(batches[0].bfloat16())).untyped_storage().nbytes() == 64 * 5 * 4


LENET = """
import torch
from torch import nn

class LeNet(nn.Module):
    num_features = 96

    def __init__(self, channels=1, size=8):
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3, padding=1)

    def forward(self, images):
        return torch.max_pool2d(self.conv(images), 2).view(-1, 96)
"""


def test_a_network_may_rely_on_the_usual_memory_layout(tmp_path, bench_command):
    path = tmp_path / "net.py"
    path.write_text(LENET)
    where = ("--datasets", "digits:fraction=0.2,classes=5", "--device", "cpu", "--out", str(tmp_path / "results"))
    assert bench_command("evaluate", f"{path}:LeNet", *where)[0] == 0
    network = open_encoder(f"{path}:LeNet").network
    assert bench.evaluate(network, "digits:fraction=0.2,classes=5", device="cpu")["linear_top1"] > 0.5
    again = open_encoder(f"{path}:LeNet").network
    assert torch.equal(network.conv.weight, again.conv.weight), "a class that draws its weights makes the same ones"
    run = (
        "run",
        "--methods",
        "simclr",
        "--backbone",
        f"{path}:LeNet",
        "--budget",
        "2steps",
        "--seeds",
        "1",
        "--batch-size",
        "32",
    )
    code, said, _ = bench_command(*run, *where)
    assert code == 0, said


READS = """
import torch
from torch import nn

class Reads(nn.Linear):
    def __init__(self):
        super().__init__(64, 8)
        self.load_state_dict(torch.load("w.pt"))

    def forward(self, images):
        return super().forward(images.flatten(1))
"""


def test_weights_that_a_class_reads_itself_are_a_part_of_what_it_is(tmp_path, bench_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(READS)
    line = ("evaluate", "net.py:Reads", "--datasets", "digits:fraction=0.2,classes=5", "--device", "cpu", "--out", "results")
    torch.save(nn.Linear(64, 8).state_dict(), "w.pt")
    assert bench_command(*line)[0] == 0 and bench_command(*line, "--labels", "0.5")[0] == 0
    torch.save(nn.Linear(64, 8).state_dict(), "w.pt")
    code, _, error = bench_command(*line)
    assert code == 2 and "is the record of another file" in error and "choose another --name" in error


def test_encoders_of_one_name_and_a_name_of_a_method_are_rows_of_their_own(tmp_path, monkeypatch):
    made_up.install(monkeypatch)
    made_up.write(tmp_path, made_up.few())
    for name, backbone in (("seed0", "resnet18"), ("seed0", "resnet50"), ("alpha", "vit")):
        accuracy = {"linear_top1": 0.1 if backbone == "vit" else 0.2, "knn_top1": 0.1}
        one = replace(made_up.record(made_up.FEW[0], 0), role="external", contender=name, backbone=backbone, budget="external")
        made_up.write(tmp_path, [replace(one, method="external", metrics=one.metrics | accuracy, outcomes={}, recipe={})])
    (board,) = leaderboard.build(made_up.read(tmp_path))
    assert sorted(row.contender for row in board.external) == ["alpha (vit)", "seed0 (resnet18)", "seed0 (resnet50)"]
    assert {row.contender: len(row.good) for row in board.ranked} == {"alpha": 5, "beta": 5, "gamma": 5}


def test_every_batch_gives_features_of_one_width():
    """An encoder with a squeeze gives something else for a last batch of one image."""
    squeezed = external.Guarded(nn.Sequential(nn.AdaptiveAvgPool2d(1), Squeeze()), "e")
    assert squeezed(torch.ones(2, 3, 4, 4)).shape == (2, 3)
    with pytest.raises(UserError, match=r"e gives float32 \(3,\) for 1 images, not features float \[1, 3\]"):
        squeezed(torch.ones(1, 3, 4, 4))
    with pytest.raises(UserError, match=r"e gives float32 \(2, 4\) for 2 images, not features float \[2, 3\]"):
        squeezed(torch.ones(2, 4, 4, 4))


class Squeeze(nn.Module):
    def forward(self, maps):
        return maps.squeeze()


def test_a_backbone_of_one_s_own_trains_and_its_source_is_in_the_recipe(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(OWN)
    options = small_cells.options(tmp_path, "simclr", budget="4steps", backbone=f"{path}:Small")
    (task,), _ = plan(options)
    before = task.cell.recipe.as_dict()
    assert len(before["backbone_source"]) == 64
    record = run(task.job)
    assert record.backbone == f"{path}:Small" and record.status == "ok"
    export = tmp_path / "runs" / task.cell.encoder_path
    assert bench.evaluate(export, small_cells.DATA, device="cpu") == record.metrics
    path.write_text(OWN + "\n# changed\n")
    with pytest.raises(UserError, match=r"net\.py:Small was changed since the run began"):
        run(task.job)
    (task,), _ = plan(options)
    assert task.cell.recipe.as_dict() != before
    with pytest.raises(UserError, match="source has changed"):
        bench.evaluate(export, small_cells.DATA, device="cpu")


@pytest.mark.parametrize(("content", "why"), [(b"", "EOFError"), (b"\x80\x02au", "IndexError"), (b"\x80\x02X", "error")])
def test_a_file_of_junk_is_one_line(tmp_path, content, why):
    (tmp_path / "junk.pth").write_bytes(content)
    with pytest.raises(UserError, match=rf"junk\.pth is no checkpoint that can be read: {why}"):
        state_dicts.read(tmp_path / "junk.pth")


def test_a_class_without_weights_or_with_lazy_ones_is_one_line(tmp_path):
    path, weights = tmp_path / "net.py", tmp_path / "w.pth"
    path.write_text(
        "from torch import nn\nclass Flat(nn.Flatten): pass\nclass Lazy(nn.LazyLinear):\n"
        "    def __init__(self): super().__init__(3)\n"
    )
    torch.save(nn.Linear(2, 2).state_dict(), weights)
    assert open_encoder(f"{path}:Flat").name == "net.py:Flat"
    with pytest.raises(UserError, match="Flat has no weights of its own; leave --weights out"):
        open_encoder(f"{path}:Flat", weights=weights)
    for given in (None, weights):
        with pytest.raises(UserError, match=r"Lazy has lazy layers, .*give their sizes"):
            open_encoder(f"{path}:Lazy", weights=given)
    with pytest.raises(UserError, match="LazyLinear has lazy layers"):
        bench.evaluate(nn.LazyLinear(3), "digits", device="cpu")


def test_a_second_evaluation_keeps_what_it_does_not_repeat(tmp_path):
    path = tmp_path / "seed0.json"
    about = {"recipe": {"sha256": "x"}, "protocol": "v3", "data": {"fingerprint": "d"}, "role": "external"}
    first = Record("t", "b", "external", "external", 0, "ok", "e", metrics={"linear_top1": 0.5, "rankme": 9.0}, **about)
    first.evaluators = description([Spectrum()])
    again = Record("t", "b", "external", "external", 0, "ok", "e", metrics={"linear_top1": 0.6}, **about)
    assert external.with_earlier(again, path) == again
    path.write_text(records.dumps(first))
    both = external.with_earlier(again, path)
    assert both.metrics == {"linear_top1": 0.6, "rankme": 9.0} and both.evaluators == first.evaluators
    again.data = {"fingerprint": "of other images"}
    assert external.with_earlier(again, path).metrics == {"linear_top1": 0.6}
