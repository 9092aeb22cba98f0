"""Temporary files for the store, those of killed processes, and copies from a server."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr.tracking.scratch import PLACE, scratch
from tests.mlflow_server import MlflowServer

KILLED = """
import os, tempfile
from cxr.tracking.scratch import scratch
with scratch() as folder:
    (folder / "image.png").touch()
    print(tempfile.mkdtemp(), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_scratch_of_a_killed_process_is_removed_and_of_a_living_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


COPIES = """
import sys
from pathlib import Path
import mlflow
from cxr.tracking.scratch import scratch
from cxr.tracking.search import runs_by_id
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
run_id = client.create_run("0").info.run_id
for name in ("one", "two"):
    client.log_text(run_id, name, f"{name}/facts.json")
run = runs_by_id([run_id])[run_id]
with scratch():
    within = run.file("one/facts.json")
    assert within.read_text() == "one"
assert not within.exists()
copies = [run.file(f"{name}/facts.json") for name in ("one", "two")]
assert [copy.read_text() for copy in copies] == ["one", "two"]
print(*copies, sep="\\n")
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a tracking server that keeps artifacts too."""
    server = MlflowServer(tmp_path)
    yield server.uri
    server.kill()


@pytest.mark.slow
def test_copies_of_server_artifacts_are_removed_with_the_process(server: str, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    command = [sys.executable, "-c", COPIES, server]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    copies = [Path(line) for line in done.stdout.splitlines()]
    assert len(copies) == 2
    assert all(copy.is_relative_to(tmp_path / PLACE) for copy in copies)
    assert list((tmp_path / PLACE).iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
