"""Wheel, sdist, editable install and checkout are one and the same harness, wherever it is called from."""

import os
import shutil
import subprocess
import sys
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
other = importlib.util.find_spec("datasets")
if other is not None and other.origin:
    import datasets
    assert "load_dataset" in dir(datasets)
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["checkout", "wheel", "sdist", "editable"])
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
