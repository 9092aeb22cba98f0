"""`cxr ui`: on the right store, for this machine only, at a free port."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cxr.commands.local_server import HOST, free_port
from cxr.commands.ui import main
from cxr.config.schema import Config, TrackingConfig
from cxr.errors import UserError
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store
from tests.logged_runs import MakeRun


def test_port_that_is_taken_is_skipped() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 20
    with pytest.raises(UserError, match="name another with --port"):
        free_port(65536)


def test_unknown_sweep_or_experiment_is_refused(make_run: MakeRun) -> None:
    make_run("a run")
    with pytest.raises(UserError, match="there is no sweep freeze-1a2b: no sweep was run here"):
        main(["--sweep", "freeze-1a2b"])
    with pytest.raises(UserError, match="there is no MLflow experiment cxx: did you mean cxr"):
        main(["--experiment", "cxx"])


@pytest.mark.slow
def test_ui_shows_the_runs_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = locate_store(TrackingConfig())
    open_store(store)
    with open_run(store, Config(), "a run to be found", {}):
        pass
    port = free_port(5600)
    server = subprocess.Popen([sys.executable, "-m", "cxr", "ui", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}/#/experiments/1/runs?" in server.stdout.readline()
        query = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            b'{"experiment_ids": ["1"]}',
            {"Content-Type": "application/json"},
        )
        answer = urllib.request.urlopen(query, timeout=90).read().decode()
        assert "a run to be found" in answer
    finally:
        server.terminate()
        server.wait(30)
