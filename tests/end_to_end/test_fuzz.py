"""`scripts/fuzz` in a small setting: damaged inputs are read, or rejected with a reason."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def test_no_made_up_input_breaks_the_contract(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts/fuzzing/fuzz_run.py"), "--cases", "600", "--seed", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = [line for line in done.stdout.splitlines() if line.startswith("cases: ")]
    for kind in ("png", "jpeg", "tiff", "bmp", "webp", "csv", "parquet"):  # and dicom where pydicom is installed
        assert f" {kind} (" in summary, summary
    assert list(tmp_path.iterdir()) == []
