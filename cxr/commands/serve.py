"""`cxr serve RUN`: answer over HTTP, on this machine only, as `cxr predict` does."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.export import export_run
from cxr.commands.local_server import HOST, free_port
from cxr.predict.model import DATA, FACTS
from cxr.tracking.http import serve
from cxr.tracking.models import REGISTERED, fetch_registered
from cxr.tracking.scratch import scratch
from cxr.tracking.store import opened_store


def main(arguments: list[str]) -> None:
    """Start the server, print how to send it a request, and stay until it is interrupted."""
    args = parse("serve", arguments)
    port = free_port(args.port)
    with _exported(args.run) as folder, socket.create_server((HOST, port)) as listening, suppress(KeyboardInterrupt):
        print("Starting the server, which takes some seconds", file=sys.stderr, flush=True)
        serve(folder, listening, args.timeout, args.max_body * 10**6, lambda: _print_use(port))


def _print_use(port: int) -> None:
    address = f"http://{HOST}:{port}/invocations"
    print(f"Answers at {address}. Ask it with")
    print(
        '  curl -s -H "Content-Type: application/json" --data-binary '
        '"{\\"dataframe_split\\": {\\"columns\\": [\\"image\\"], \\"data\\": [[\\"$(base64 -w0 FILM.png)\\"]]}}" '
        f"{address}"
    )
    print("Stop with Ctrl-C. Research use only, no diagnosis.", flush=True)


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
