"""Published weights: downloaded once, whole or not at all, and the file that Keras itself would load."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import h5py
import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model import published
from cxr.model.backbone import Published
from cxr.model.backbones.registry import backbone_names, backbone_of
from cxr.model.network import build_network
from cxr.model.weights import Weights, locate_weights, without_downloads
from tests.conftest import REPOSITORY

SMALL = BackboneConfig(alpha=0.35, image_size=96)
NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
LOCATE = f"""
import sys
from cxr.config.schema import BackboneConfig
from cxr.model import published
from cxr.model.weights import locate_weights
published._ADDRESS = sys.argv[1]
print("ready", flush=True)
print(locate_weights({SMALL!r}).sha256)
"""


class Server(ThreadingHTTPServer):
    """Answers every request with `content`; the second half of it waits for `rest`."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.requests = content, list[str]()
        self.half_is_sent, self.rest = Event(), Event()
        self.rest.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        content, half = self.server.content, len(self.server.content) // 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:half])
        self.wfile.flush()
        self.server.half_is_sent.set()
        self.server.rest.wait()
        self.wfile.write(content[half:])

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file like the published one."""
    path = tmp_path_factory.mktemp("published") / NAME
    model = keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=None)
    model.save(path)
    return path.read_bytes()


@pytest.fixture
def server(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Where this process looks for published weights; Keras' cache is an empty folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with Server(content) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(published, "_ADDRESS", server.address)
        yield server
        server.rest.set()
        server.shutdown()
        thread.join()


def started(server: Server) -> subprocess.Popen[str]:
    """Another process that locates the weights and prints their hash."""
    command = [sys.executable, "-c", LOCATE, server.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=dict(os.environ))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_hash_is_known_before_training_and_stays(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = locate_weights(SMALL)
    assert first.sha256 == locate_weights(SMALL).sha256 is not None
    assert server.requests == [f"/mobilenet_v2/{NAME}"]
    assert capfd.readouterr().err.count("downloading ImageNet weights once") == 1
    assert first.path == tmp_path / "models" / NAME


@pytest.mark.parametrize("size", [96, 100])
def test_the_network_holds_the_located_file(size: int, server: Server) -> None:
    config = BackboneConfig(alpha=0.35, image_size=size)
    weights = locate_weights(config)
    network = build_network(config, 3, weights)
    with h5py.File(str(weights.path)) as file:
        kernel = np.asarray(file["model_weights/Conv1/Conv1/kernel"])
    np.testing.assert_array_equal(network.trainee.get_layer("Conv1").kernel.numpy(), kernel)
    assert [Path(path).name for path in server.requests] == [NAME]


@pytest.mark.parametrize(
    ("name", "size"),
    [("mobilenet_v2", size) for size in (96, 224, 100)]
    + [
        pytest.param(name, 224, marks=() if name == "mobilenet_v3_small" else pytest.mark.slow)
        for name in backbone_names()
        if name != "mobilenet_v2" and (known := backbone_of(name)) and known.published
    ],
)
def test_published_file_is_the_one_that_keras_would_load(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[str, str, str]] = []

    class Stop(Exception):
        """Nothing is downloaded."""

    def get_file(file: str, address: str, file_hash: str | None = None, **_: object) -> str:
        requests.append((file, address, file_hash or ""))
        raise Stop

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    backbone = backbone_of(name)
    assert backbone is not None
    assert backbone.published is not None
    make = getattr(keras.applications, backbone.application.rpartition(".")[2])
    with pytest.raises(Stop):
        make(input_tensor=keras.Input((size, size, 3)), include_top=False, weights="imagenet", **backbone.arguments)
    file = published.cached_file(backbone.published, 1.0).name
    assert requests == [(file, f"{published._ADDRESS}/{backbone.published.folder}/{file}", backbone.published.digest)]


def test_a_killed_download_is_done_again(server: Server, content: bytes, tmp_path: Path) -> None:
    server.rest.clear()
    process = started(server)
    assert server.half_is_sent.wait(120)
    process.kill()
    process.communicate()
    assert not (tmp_path / "models" / NAME).exists()
    server.rest.set()
    path = locate_weights(SMALL).path
    assert path is not None
    assert path.read_bytes() == content
    assert not list(path.parent.glob("part-*"))


def test_half_a_file_of_an_earlier_download_is_replaced(server: Server, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "models" / NAME
    file.parent.mkdir()
    file.write_bytes(content[: len(content) // 2])
    assert locate_weights(SMALL).path == file
    assert file.read_bytes() == content


def test_two_processes_download_once(server: Server) -> None:
    server.rest.clear()
    first = started(server)
    assert server.half_is_sent.wait(120)
    second = started(server)
    server.rest.set()
    hashes = {process.communicate()[0].strip() for process in (first, second)}
    assert hashes == {locate_weights(SMALL).sha256}
    assert len(server.requests) == 1


@pytest.mark.parametrize("digest", ["0" * 32, "0" * 64])
def test_another_file_than_the_published_one_is_refused(digest: str, server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"its hash is .* in place of 000"):
        published.download(Published("folder", "file.h5", digest), 1.0, lambda file: None)
    assert {path.name for path in (tmp_path / "models").iterdir()} <= {"file.h5.lock"}


def test_content_without_weights_is_refused(server: Server, tmp_path: Path) -> None:
    server.content = b"<html>proxy: please log in</html>"
    with pytest.raises(UserError, match=r"got another file than the published one.*give backbone.weights=FILE"):
        locate_weights(SMALL)
    assert not (tmp_path / "models" / NAME).exists()


def test_no_network_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(published, "_ADDRESS", "http://127.0.0.1:9")  # where nothing listens
    with pytest.raises(UserError, match=r"needs a network once.*mobilenet_v2.*give backbone.weights=FILE"):
        locate_weights(BackboneConfig())


def test_plan_downloads_nothing(server: Server, tmp_path: Path) -> None:
    with without_downloads():
        assert locate_weights(SMALL) == Weights(path=tmp_path / "models" / NAME, to_download=True)
        assert locate_weights(SMALL).sha256 is None
    assert server.requests == []
    assert locate_weights(SMALL).sha256 is not None
