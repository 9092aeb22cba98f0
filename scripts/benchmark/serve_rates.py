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
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from contest import Images, desk

CLIENTS = (1, 8, 32)


@dataclass(frozen=True)
class ServeRates:
    """Answers a second of all clients together; seconds of one answer, the median and the 95th of 100."""

    clients: int
    rate: float
    median: float
    slow: float


def serve_rates(images: Images, seconds: float = 15.0) -> Iterator[ServeRates]:
    """Train a head, serve it, and ask it with 1, 8 and 32 clients for so many seconds each."""
    with desk() as ours:
        ours.cxr(images, ("freeze=head", "training.epochs=2", "augment=none", "audit=off", "tracking.run_name=asked"))
        command = [sys.executable, "-m", "cxr", "serve", "asked", "--port", "5300"]
        with subprocess.Popen(command, cwd=ours.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            try:
                port = urlsplit(server.stdout.readline().split()[2].removesuffix(".")).port or 0
                bodies = [_body(images.root / path) for path in ours.manifest_table()["path"][:64]]
                _ask(port, bodies[0])
                for clients in CLIENTS:
                    yield _under_load(port, bodies, clients, seconds)
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(30)


def _under_load(port: int, bodies: list[bytes], clients: int, seconds: float) -> ServeRates:
    ends = time.perf_counter() + seconds

    def client(number: int) -> list[float]:
        took, asked = [], number
        while time.perf_counter() < ends:
            started = time.perf_counter()
            _ask(port, bodies[asked % len(bodies)])
            took.append(time.perf_counter() - started)
            asked += 1
        return took

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        took = sorted(second for found in pool.map(client, range(clients)) for second in found)
    return ServeRates(
        clients, len(took) / (time.perf_counter() - began), statistics.median(took), took[min(len(took) - 1, int(0.95 * len(took)))]
    )


def _body(path: Path) -> bytes:
    said = base64.b64encode(path.read_bytes()).decode()
    return json.dumps({"dataframe_split": {"columns": ["image"], "data": [[said]]}}).encode()


def _ask(port: int, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    (found,) = json.load(connection.getresponse())["predictions"]
    connection.close()
    if not found["probabilities"]:
        raise RuntimeError(f"no answer: {found['reason']}")
