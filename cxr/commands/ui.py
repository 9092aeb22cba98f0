"""`cxr ui`: open the MLflow UI on the store of this folder, for this machine only."""

import os
import socket
import subprocess
import sys

from cxr.commands.arguments import parse
from cxr.compare.runs import positive_class_of
from cxr.config.schema import ObjectiveConfig
from cxr.errors import UserError
from cxr.evaluation.metric_table import by_class, overall
from cxr.evaluation.roles import POSITIVE_SLUGS
from cxr.tracking.search import finished_runs
from cxr.tracking.store import open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs
from cxr.tracking.view import save_view

HOST = "127.0.0.1"


def main(arguments: list[str]) -> None:
    """Start the UI and stay until it is interrupted."""
    asked = parse("ui", arguments)
    port = free_port(asked.port)
    store = store_with_runs()
    if store.folder is None and store.uri.startswith(("http://", "https://")):
        raise UserError(f"the runs are on a server already: open {store.uri} in a browser")
    open_store(store)
    close_cut_off_runs(store)
    page = save_view(store, asked.experiment, asked.sweep, ObjectiveConfig().metric, _columns(_positive_class(asked.experiment)))
    print(f"MLflow UI: http://{HOST}:{port}{page}  (stop with Ctrl-C)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.uri, "--host", HOST, "--port", str(port)]
    if store.folder is not None:
        command += ["--default-artifact-root", (store.folder / "artifacts").as_uri()]
    # One user needs one worker and no background jobs. MLflow's defaults take 3 GB.
    lean = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command += ["--workers", "1", "--uvicorn-opts", "--log-level=warning"]
    with subprocess.Popen(command, env={**os.environ, **lean}) as server:
        try:
            server.wait()
        except KeyboardInterrupt:
            server.terminate()  # it ends its own workers


def _columns(positive: str) -> list[str]:
    """Metrics that the runs table shows beside the objective: of the test part, and of the difference from the baseline."""
    names = [metric.name for metric in overall("ui")]
    if positive:
        names += [*(f"{positive}/{metric.name}" for metric in by_class("ui")), "triage/urgent_in_routine"]
    return [*(f"test/{name}" for name in names), f"vs_baseline/{ObjectiveConfig().metric.removeprefix('val/')}"]


def _positive_class(experiment: str) -> str:
    """That of the latest finished run, as metrics spell it; "" where there is none."""
    return next((positive_class_of(run) for run in finished_runs({}, experiment)), POSITIVE_SLUGS[0])


def free_port(wanted: int) -> int:
    """The first free port from `wanted` on; raises `UserError` if twenty in a row are taken."""
    for port in range(wanted, min(wanted + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UserError(f"no free port from {wanted} on: name another with --port")
