"""`cxr serve RUN`: answer over HTTP, on this machine only, as `cxr predict` does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.export import export_run
from cxr.commands.local_server import HOST, free_port, wait_until_it_answers
from cxr.predict.model import FACTS
from cxr.predict.source import DATA, opened_store
from cxr.tracking.models import REGISTERED, fetch_registered
from cxr.tracking.scratch import scratch


def main(arguments: list[str]) -> None:
    """Start the server, say how to ask it, and stay until it is interrupted."""
    asked = parse("serve", arguments)
    port = free_port(asked.port)
    with _exported(asked.run) as folder:
        command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
        command += ["--host", HOST, "--port", str(port), "--timeout", str(asked.timeout)]
        print("Starting the server, which takes some seconds", file=sys.stderr, flush=True)
        # MLflow calls uvicorn by its name, which scripts/cxr does not put on the PATH
        programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        environment = {**os.environ, "PATH": programs, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
        with subprocess.Popen(command, env=environment, stdout=sys.stderr.fileno()) as server:
            try:
                wait_until_it_answers(server, port, "the server")
                print(f"Answers at http://{HOST}:{port}/invocations. Ask it with", flush=True)
                print(
                    '  curl -s -H "Content-Type: application/json" --data-binary '
                    '"{\\"dataframe_split\\": {\\"columns\\": [\\"image\\"], \\"data\\": [[\\"$(base64 -w0 FILM.png)\\"]]}}" '
                    f"http://{HOST}:{port}/invocations",
                    flush=True,
                )
                print("Stop with Ctrl-C. Research use only, no diagnosis.", flush=True)
                server.wait()
            except KeyboardInterrupt:
                pass
            finally:
                server.terminate()


@contextmanager
def _exported(reference: str) -> Iterator[Path]:
    """An exported folder: the one that is named, the registered one, or one that is made of a run for the time of the block."""
    if (Path(reference) / DATA / FACTS).is_file():
        yield Path(reference)
        return
    store = opened_store()
    with scratch() as place:
        if reference.startswith(REGISTERED):
            yield fetch_registered(reference, place)
            return
        yield export_run(reference, store, place / "exported").folder
