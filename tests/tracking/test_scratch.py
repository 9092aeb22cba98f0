"""Temporary files for the store, and those of killed processes."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cxr.tracking.scratch import PLACE, scratch

KILLED = """
import os, tempfile
from cxr.tracking.scratch import scratch
with scratch() as folder:
    (folder / "film.png").touch()
    print(tempfile.mkdtemp(), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.is_relative_to(tmp_path / PLACE)  # the temporary files of libraries too
    assert left.is_dir()
    with scratch() as outer, scratch() as inner:
        assert not left.exists()
        assert outer.is_dir()
        assert inner.is_dir()
        assert tempfile.gettempdir() == str(inner)
    assert list(PLACE.iterdir()) == []
    assert Path("mlruns").stat().st_mode & 0o077 == 0
