"""`scripts/bench` in its smallest setting: both sides run on the same images, and every table is complete."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.training.devices import visible_gpus
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow
NO_GPU = pytest.mark.skipif(bool(visible_gpus()), reason="this machine has a GPU: tests/training/test_gpu.py")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("backbones", "--only", "mobilenet_v3_small"), r"mobilenet_v3_small +224( +\d+\.\d){4} +\d+"),
        pytest.param(("gpu",), "TensorFlow can use no GPU here: nothing is measured", marks=NO_GPU),
    ],
    ids=["backbones", "gpu"],
)
def test_what_is_measured_only_when_asked_for(asked: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts/benchmark/run.py"), *asked, "--phantoms", "4", "--repeats", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout)


def test_its_tables_are_filled_in(tmp_path: Path) -> None:
    small = ("--phantoms", "40", "--epochs", "1", "--repeats", "1", "--only", "seed's protocol")
    command = [
        sys.executable,
        str(REPOSITORY / "scripts/benchmark/run.py"),
        "contests",
        "engine",
        *("index", "evaluation", "coverage", "--images", "30", "--predictions", "40", "--sets", "4"),
        *small,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip() for line in done.stdout.splitlines()]
    for name, columns in (
        ("seed's protocol, fresh augmentation", 6),
        ("OpenVINO alone", 2),
        ("in cxr, moved images", 2),
        ("30 images", 7),
        ("40 predictions", 2),
        ("covid/auc", 3),
    ):
        (found,) = [row for row in rows if row.startswith(name)][:1]
        assert len(re.findall(r"\s\d+\.?\d*x?(?=\s|$)", found)) == columns, found
    assert list(tmp_path.iterdir()) == []
