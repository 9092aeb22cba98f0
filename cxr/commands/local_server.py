"""A server for this machine only: a free port, and the wait until it answers."""

import socket
import subprocess
import time
import urllib.request

from cxr.errors import RunFailed, UserError

HOST = "127.0.0.1"


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int, name: str) -> None:
    """Raise `RunFailed` if the server ends before its page /health answers."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RunFailed(f"{name} ended with exit code {server.returncode}: its last lines above say why")


def free_port(wanted: int) -> int:
    """The first free port from `wanted` on, or any for 0.

    Raises:
        UserError: Twenty in a row are taken.
    """
    for port in range(wanted, min(wanted + 20, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise UserError(f"no free port from {wanted} on: name another with --port")
