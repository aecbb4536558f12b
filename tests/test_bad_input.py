"""Every flag with values that it cannot have: exit code 2, one line that starts with ``error:``, and nothing written."""

from pathlib import Path

import pytest

from tests.commands import exit_code

RUN = ["run", "--datasets", "digits", "--methods", "simclr", "--budget", "1steps", "--seeds", "1"]
MANY = "9" * 400

BAD = [
    # --budget
    *([*RUN, "--budget", text] for text in ("", "200", "ep", "0ep", "-1ep", "1.5steps", "nanep", "infs", "1e3steps", "2kep")),
    *([*RUN, "--budget", text] for text in ("200 ep", "10m", "1Min", "0.0000000001h", f"{MANY}ep", "../5ep", "5ep/..", "3,5ep")),
    # --methods
    *(
        [*RUN, "--methods", text]
        for text in ("", ",", "simclrr", "simclr,nosuch", "*nosuch", "../simclr", "SIMCLR", "simclr;moco")
    ),
    # --datasets
    *([*RUN, "--datasets", text] for text in ("", "digitz", "digits:", "digits:classes", "digits:classes=", "digits:classes=1")),
    *([*RUN, "--datasets", text] for text in ("digits:classes=11", "digits:classes=2.5", "digits:fraction=0", "digits:x=1")),
    *([*RUN, "--datasets", text] for text in ("digits:fraction=1.1", "digits:fraction=nan", "digits:fraction=1e-30", "../digit")),
    *(
        [*RUN, "--datasets", text]
        for text in (
            "digits:classes=2,classes=3",
            "digits:classes=5,draw=99999999999999",
            "digits,,",
            "cifar100",
            f"digits:classes={MANY}",
        )
    ),
    # --seeds, --batch-size, --backbone, --device
    *([*RUN, "--seeds", text] for text in ("0", "-1", "1.5", "two", "", "1001", MANY)),
    *([*RUN, "--batch-size", text] for text in ("0", "1", "-5", "1438", "2.5", "x", "", MANY)),
    *([*RUN, "--backbone", text] for text in ("", "resnet", "../resnet18", "resnet18 ", "vit_base_patch16_224.", "a" * 5000)),
    *([*RUN, "--device", text] for text in ("", "gpu", "CUDA", "cuda:99", "mps")),
    # --set
    *([*RUN, "--set", text] for text in ("", "=", "lr", "lr=", "=1", ".lr=1", "simclr.=1", "nosuch.lr=1", "moco.lr=1", "lrr=1")),
    *([*RUN, "--set", text] for text in ("lr=x", "lr=-1", "lr=nan", "lr=inf", "lr=1e999", "temperature=0", "dimension=0")),
    *(
        [*RUN, "--set", text]
        for text in ("dimension=1.5", "compile=maybe", "sgd_momentum=1", "adam_beta2=1", "lr_warmup=-1", "batch_size=4000")
    ),
    [*RUN, "--set", "lr=1", "--set", "lr=2"],
    [*RUN, "--methods", "moco", "--set", "queue_size=9999"],
    [*RUN, "--methods", "moco", "--set", "symmetric=2"],
    [*RUN, "--methods", "mae:width=190", "--backbone", "vit_tiny_patch4_32"],
    [*RUN, "--methods", "ifnd_elim", "--set", "clusters=2,,3"],
    [*RUN, "--methods", "ifnd_elim", "--set", "clusters=1"],
    [*RUN, "--methods", "ifnd_elim", "--set", "clusters=5000"],
    # --gpus, --log
    [*RUN, "--gpus", "0", "--device", "cuda:1"],
    [*RUN, "--gpus", "all", "--device", "cpu"],
    *([*RUN, "--log", text] for text in ("tensorbord", "tensorboard,x")),
    # --checkpoint-every, --cell-timeout, --on-existing
    *([*RUN, "--checkpoint-every", text] for text in ("", "0ep", "often", "5", "-5min", "1.5steps")),
    *([*RUN, "--cell-timeout", text] for text in ("", "0s", "1ep", "ten minutes", "-1h", "100steps", "5")),
    *([*RUN, "--on-existing", text] for text in ("", "overwrite", "SKIP")),
    # --labels
    *([*RUN, "--labels", text] for text in ("", ",", "0", "-0.1", "1.1", "nan", "inf", "1e-30", MANY, "1%", "few", "../0.1")),
    *([*RUN, "--labels", text] for text in ("0.1,", "0.1;0.2", "0.1 0.2", "0.1,0.1", "0.01,0.010", "0.1,0,0.2")),
    # --out, --runs, --data-dir: a file, and below a file
    *([*RUN, flag, path] for flag in ("--out", "--runs") for path in ("/dev/null", "/dev/null/results", "/proc/results")),
    *([*RUN, flag, "a" * 5000] for flag in ("--out", "--runs")),
    *([*RUN, flag, "~no-such-user/x"] for flag in ("--out", "--runs", "--data-dir")),
    [*RUN, "--backbone", "~no-such-user/net.py:Net"],
    *(["evaluate", text, "--datasets", "digits"] for text in ("~no-such-user/e", "timm:local-dir:~no-such-user/e")),
    ["evaluate", "timm:test_vit", "--datasets", "digits", "--weights", "~no-such-user/e.pth"],
    ["data", "get", "cifar10", "--from", "~no-such-user/x"],
    ["experiment", "~no-such-user/x.toml"],
    ["merge", "~no-such-user/a", "--out", "b"],
    ["merge", "a", "--out", "~no-such-user/b"],
    ["compare", "~no-such-user/a", "~no-such-user/b"],
    ["throughput", "--json", "~no-such-user/x"],
    [*RUN, "--datasets", "cifar100", "--data-dir", "/dev/null"],
    [*RUN, "--datasets", "cifar100", "--data-dir", "a" * 5000],
    # flags and commands that do not exist, or lack their value
    ["run", "--nosuch"],
    ["run", "--budget"],
    ["run", "surplus"],
    ["nosuch"],
    # the other commands
    ["list"],
    ["list", "nosuch"],
    ["list", "methods", "nosuch*"],
    ["list", "datasets", "../*"],
    ["check"],
    ["check", "nosuch"],
    ["check", "../simclr"],
    ["report", "--out", "nosuch"],
    ["report", "--out", "/dev/null"],
    ["data", "nosuch"],
    ["data", "get"],
    ["data", "get", "nosuch"],
    ["data", "get", "digits"],
    ["data", "get", "imagenet100"],
    ["data", "get", "cifar10", "--from", "nosuch"],
    ["data", "get", "cifar10", "--from", "/dev/null"],
    ["data", "get", "imagenet100", "--from", "."],
    ["data", "get", "imagenet", "--from", "nosuch"],
    ["data", "get", "imagenet100-first100"],
    *(["data", "get", "imagenet100", "--from", ".", "--side", text] for text in ("0", "-1", "7", "4097", "1.5", "x", "")),
    *(["data", "get", "imagenet100", "--from", ".", "--workers", text] for text in ("0", "-1", "two", MANY)),
    ["data", "get", "imagenet100", "--from", ".", "--name", "mine"],
    ["data", "get", "cifar10", "--from", ".", "--side", "32"],
    ["data", "get", "cifar10", "--from", ".", "--workers", "2"],
    ["data", "get", "folder"],
    ["data", "get", "folder", "--from", "."],
    ["data", "get", "folder", "--name", "mine"],
    ["data", "get", "folder", "--from", ".", "--name", "mine"],
    ["data", "get", "folder", "--from", "nosuch", "--name", "mine"],
    *(
        ["data", "get", "folder", "--from", ".", "--name", text]
        for text in ("", "../x", "a:b", "a,b", "a=b", "cifar10", "a" * 65)
    ),
    ["data", "check", "nosuch"],
    ["data", "check", "cifar10"],
    ["data", "check", "../cifar10"],
]


def test_without_what_is_bad_it_is_good_input(tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert exit_code(*RUN, "--dry-run") == 0 and capfd.readouterr().err == ""


@pytest.mark.parametrize("arguments", BAD, ids=lambda a: " ".join(part[:20] for part in a if part not in RUN[1:-2]))
def test_bad_input_is_one_line(arguments, tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    code, said = exit_code(*arguments), capfd.readouterr().err
    assert code == 2, said
    assert said.startswith("error: ") and said.count("\n") == 1, said
    assert list(tmp_path.iterdir()) == []
