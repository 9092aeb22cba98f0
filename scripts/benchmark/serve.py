"""`cxr serve` under load: so many clients ask for one image after another."""

import base64
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from measure import Options, add_row, desk, seconds_of, table
from rich.table import Table

from cxr.system import cores

_CLIENTS = (1, 8, 32)
_SECONDS = 15.0  # of load, for each number of clients


def answer(options: Options) -> Iterator[Table]:
    """Train a head, serve it, and ask it: answers a second of all clients together, and how long one answer takes."""
    title = f"cxr serve on {cores()} cores, one image a request; the clients run on the same cores"
    result = table(title, "answers/s", "median, ms", "95th of 100, ms")
    with desk() as ours:
        short = ("freeze=head", "training.epochs=2", "augment=none", "audit=off", "tracking.run_name=served")
        ours.cxr(*short, *options.images.for_cxr())
        command = [sys.executable, "-m", "cxr", "serve", "served", "--port", "0"]
        with subprocess.Popen(command, cwd=ours.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            try:
                port = urlsplit(server.stdout.readline().split()[2].removesuffix(".")).port or 0
                bodies = [_body(options.images.root / path) for path in ours.manifest()["path"][:64]]
                _ask(port, bodies[0])
                for clients in _CLIENTS:
                    rate, median, slow = _under_load(port, bodies, clients)
                    add_row(result, f"{clients} clients", f"{rate:.0f}", f"{1000 * median:.0f}", f"{1000 * slow:.0f}")
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(30)
    yield result


def _under_load(port: int, bodies: list[bytes], clients: int) -> tuple[float, float, float]:
    """Answers a second; seconds of one answer, the median and the 95th of 100."""
    began = time.perf_counter()

    def client(number: int) -> list[float]:
        seconds: list[float] = []
        while time.perf_counter() < began + _SECONDS:
            seconds.append(seconds_of(partial(_ask, port, bodies[(number + len(seconds)) % len(bodies)])))
        return seconds

    with ThreadPoolExecutor(clients) as pool:
        answers = sorted(second for seconds in pool.map(client, range(clients)) for second in seconds)
    slow = answers[min(len(answers) - 1, int(0.95 * len(answers)))]
    return len(answers) / (time.perf_counter() - began), statistics.median(answers), slow


def _body(path: Path) -> bytes:
    text = base64.b64encode(path.read_bytes()).decode()
    return json.dumps({"dataframe_split": {"columns": ["image"], "data": [[text]]}}).encode()


def _ask(port: int, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    (prediction,) = json.load(connection.getresponse())["predictions"]
    connection.close()
    if not prediction["probabilities"]:
        raise RuntimeError(f"no answer: {prediction['reason']}")
