"""Wheel, sdist, editable install and checkout are one and the same harness, wherever it is called from."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.small_cells import ROOT, command

SMOKE = """
import importlib.util, sys
import bench, bench.methods.simclr, bench.datasets.digits, bench.experiment as experiment
from bench.methods import registry
from bench.datasets.registry import tracks
assert registry()["simclr"] is bench.methods.simclr.SimCLR and tracks()["digits"] is bench.datasets.digits.TRACK
for twin in ("bench.bench", "bench.methods.methods", "methods.simclr"):
    try:
        assert importlib.util.find_spec(twin) is None, twin
    except ImportError:
        pass
assert experiment.known()
"""
HUGGING_FACE = """
import datasets
assert datasets.Dataset.from_dict({"label": [0, 1]}).num_rows == 2
import bench.datasets
assert bench.datasets.__name__ == "bench.datasets" and datasets.__name__ == "datasets"
"""


def installed(kind: str, folder: Path) -> str:
    """A folder for PYTHONPATH with the harness as ``kind`` of installation brings it."""
    if kind == "checkout":
        return str(ROOT)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "results", "*cache*", "build", "*.egg-info"))
    if kind == "editable":
        subprocess.run([*pip, "--prefix", str(folder / "prefix"), "-e", str(copy)], check=True)
        site = next((folder / "prefix").rglob("site-packages"))
        (folder / "start").mkdir()
        (folder / "start" / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(site)!r})\n")
        return str(folder / "start")
    what = copy
    if kind == "sdist":
        subprocess.run([sys.executable, "-m", "build", "--sdist", "--outdir", str(folder / "dist"), str(copy)], check=True)
        what = next((folder / "dist").glob("*.tar.gz"))
    subprocess.run([*pip, "--target", str(folder / "site"), str(what)], check=True)
    return str(folder / "site")


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory) -> str:
    """A folder for PYTHONPATH with Hugging Face's `datasets` and what it needs and is not installed yet."""
    folder = tmp_path_factory.mktemp("hugging_face")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--prefix", str(folder), "datasets"]
    done = subprocess.run(pip, capture_output=True, text=True)
    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        pytest.skip(f"nothing can be installed here: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    return str(next(folder.rglob("site-packages")))


KINDS = pytest.mark.parametrize("kind", ["checkout", "wheel", "sdist", "editable"])


@pytest.mark.slow
@KINDS
def test_it_shares_an_environment_with_hugging_faces_datasets(kind, hugging_face, tmp_path):
    paths = os.pathsep.join([installed(kind, tmp_path), hugging_face])
    (tmp_path / "elsewhere").mkdir()
    for program in (["-c", SMOKE + HUGGING_FACE], ["-c", HUGGING_FACE + SMOKE], ["-m", "bench", "list", "datasets"]):
        variables = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *program], cwd=tmp_path / "elsewhere", env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@KINDS
def test_every_installation_passes_the_same(kind, tmp_path):
    variables = os.environ | {"PYTHONPATH": installed(kind, tmp_path), "OMP_NUM_THREADS": "1"}
    (tmp_path / "elsewhere").mkdir()

    def run(*arguments: str) -> str:
        done = subprocess.run(arguments, cwd=tmp_path / "elsewhere", env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-c", SMOKE)
    assert "simclr" in run(sys.executable, "-m", "bench", "list", "methods")
    run(*command(tmp_path, "raw_pixels"))
    assert (tmp_path / "results" / "index.html").exists()


def test_every_package_and_file_is_declared_for_the_wheel():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    files = [Path(at, name) for at, _, names in os.walk(ROOT / "bench", followlinks=True) for name in names]
    files = [file.relative_to(ROOT) for file in files if "__pycache__" not in file.parts]
    assert {".".join(file.parts[:-1]) for file in files if file.suffix == ".py"} == set(declared["packages"])
    data = {Path(*package.split(".")) / pattern for package, patterns in declared["package-data"].items() for pattern in patterns}
    others = [file for file in files if file.suffix != ".py"]
    assert len(others) > 10 and [file for file in others if not any(file.match(str(pattern)) for pattern in data)] == []
