"""An `mlflow server` of a test's own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from cxr.commands.local_server import HOST, free_port, wait_until_it_answers


class MlflowServer:
    """A server that can be killed, and started again at the same address and on the same store, which is in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port(0)
        self.uri = f"http://{HOST}:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        lean = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        # In a process group of its own: whoever kills the server has to kill its workers too.
        self.process = subprocess.Popen(command, env=lean, start_new_session=True)
        wait_until_it_answers(self.process, self.port, "the server")

    def kill(self) -> None:
        """Kill it and its workers at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
