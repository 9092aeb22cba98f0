"""`cxr ui`: open the MLflow UI on the store of this folder, for this machine only."""

import os
import socket
import subprocess
import sys

from cxr.commands.arguments import parse
from cxr.commands.local_server import HOST, free_port, wait_until_it_answers
from cxr.compare.runs import positive_class_of
from cxr.config.schema import ObjectiveConfig, TrackingConfig
from cxr.errors import UserError
from cxr.evaluation.metric_table import by_class, overall
from cxr.evaluation.roles import POSITIVE_SLUGS
from cxr.text import nearest
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import experiment_id, open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs
from cxr.tracking.view import EVALUATIONS, View, save_view, view_of


def main(arguments: list[str]) -> None:
    """Start the UI, print its address when it answers, and stay until it is interrupted.

    Raises:
        UserError: The runs are on a server.
    """
    args = parse("ui", arguments)
    port = free_port(args.port)
    store = store_with_runs()
    if store.folder is None and store.uri.startswith(("http://", "https://")):
        raise UserError(f"the runs are on a server already: open {store.uri} in a browser")
    open_store(store)
    close_cut_off_runs(store)
    if args.experiment == TrackingConfig().experiment:
        experiment_id(store, args.experiment)  # that of runs to come
    pages = _pages(args.experiment, args.sweep)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store.uri, "--host", HOST, "--port", str(port)]
    if store.folder is not None:
        command += ["--default-artifact-root", (store.folder / "artifacts").as_uri()]
    # One user needs one worker and no background jobs. MLflow's defaults take 3 GB.
    lean = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command += ["--workers", "1", "--uvicorn-opts", "--log-level=warning"]
    print("Starting the MLflow UI, which takes some seconds", file=sys.stderr, flush=True)
    # What the server says goes to standard error, so that the address is all that is on standard output.
    with subprocess.Popen(command, env={**os.environ, **lean}, stdout=sys.stderr.fileno()) as server:
        try:
            wait_until_it_answers(server, port, "the MLflow server")
            for name, page in pages.items():
                print(f"{name}: http://{HOST}:{port}{page}", flush=True)
            forward = f"ssh -N -L {port}:{HOST}:{port} {socket.gethostname()}"
            by_ssh = f" From your own machine: {forward}, then open the address there." if "SSH_CONNECTION" in os.environ else ""
            print(f"Stop with Ctrl-C.{by_ssh}", flush=True)
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()  # it ends its own workers


def _pages(experiment: str, sweep: str | None) -> dict[str, str]:
    """The address of each page, by what it shows; raises `UserError` for a sweep that is not there."""
    runs = filtered_runs("", experiment)
    if sweep and not any(sweep in run.tags.get("cxr.sweep_id", "").split() for run in runs):
        known = dict.fromkeys(name for run in runs for name in run.tags.get("cxr.sweep_id", "").split())
        hint = nearest(sweep, known) if known else "no sweep was run here"
        raise UserError(f"there is no sweep {sweep}: {hint}")
    objective = ObjectiveConfig().metric
    positive = next((positive_class_of(run) for run in runs if run.is_finished), POSITIVE_SLUGS[0])
    pages = {"MLflow UI": save_view(experiment, view_of(sweep, [objective, *_columns("test", positive)]))}
    if not sweep and any(run.tags.get("cxr.role") == "evaluation" for run in runs):
        evaluations = View("cxr-evaluations", "Evaluations", EVALUATIONS, tuple(_columns("external", positive)))
        pages["Evaluations of other data"] = save_view(experiment, evaluations)
    return pages


def _columns(part: str, positive: str) -> list[str]:
    """Metrics of a part that the runs table shows beside the objective; of the test part also the difference from the baseline."""
    names = [metric.name for metric in overall("ui")]
    if positive:
        names += [*(f"{positive}/{metric.name}" for metric in by_class("ui")), "triage/urgent_in_routine"]
    against = [f"vs_baseline/{ObjectiveConfig().metric.removeprefix('val/')}"] if part == "test" else []
    return [*(f"{part}/{name}" for name in names), *against]
