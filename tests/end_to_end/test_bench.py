"""`scripts/bench` in its smallest setting: both sides run on the same images, and every table is complete."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def test_tables_of_a_small_benchmark_are_complete(tmp_path: Path) -> None:
    questions = ("contests", "engine", "index", "evaluation", "coverage")
    small = ("--phantoms", "40", "--epochs", "1", "--repeats", "1", "--images", "30", "--predictions", "40", "--sets", "4")
    command = [sys.executable, str(REPOSITORY / "scripts/benchmark/run.py"), *questions, *small, "--only", "original protocol"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip() for line in done.stdout.splitlines()]
    for name, columns in (
        ("original protocol, fresh augmentation", 6),
        ("OpenVINO alone", 2),
        ("in cxr, moved images", 2),
        ("30 images", 7),
        ("40 predictions", 2),
        ("covid/auc", 3),
    ):
        row = next(row for row in rows if row.startswith(name))
        assert len(re.findall(r"\s\d+\.?\d*x?(?=\s|$)", row)) == columns, row
    assert list(tmp_path.iterdir()) == []
