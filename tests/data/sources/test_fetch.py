"""Downloading the database through the client of its host, from a stand-in for the host on this machine."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

pytest.importorskip("kagglehub", reason="the extra that fetches the database is not installed")
from kagglesdk import kaggle_env

from cxr.data.sources import fetch as fetching
from cxr.data.sources.fetch import FOLDER, fetch
from cxr.errors import UserError

COUNTS = {"COVID": 2, "Normal": 3, "Viral Pneumonia": 1, "Lung_Opacity": 1}


def archive(counts: dict[str, int]) -> bytes:
    """A small database, as the host packs it."""
    file, image = io.BytesIO(), io.BytesIO()
    Image.new("L", (32, 32)).save(image, "png")
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(f"{FOLDER}/README.md.txt", bytes(3_000_000))  # more than the client writes at a time
        for name, count in counts.items():
            for index in range(count):
                packed.writestr(f"{FOLDER}/{name}/images/{name}-{index}.png", image.getvalue())
    return file.getvalue()


@dataclass
class Host:
    """What the stand-in serves, the requests that it had, and after how many bytes it hangs up."""

    content: bytes
    hangs_up_after: int | None = None
    checksum: str | None = None
    refuses: bool = False
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Host]:
    """The stand-in, to which the client connects."""
    served = Host(archive(COUNTS))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.requests.append(self.path)
            if served.refuses:
                self.send_error(403)
                return
            self.send_response(302)
            self.send_header("Location", "/archive.zip")
            self.end_headers()

        def do_GET(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            served.requests.append(f"from {start}")
            rest = served.content[start:]
            digest = served.checksum or base64.b64encode(hashlib.md5(served.content).digest()).decode()
            self.send_response(206 if start else 200)
            for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(rest)), "x-goog-hash": f"md5={digest}"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(rest[: served.hangs_up_after])

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, endpoint)
        monkeypatch.setattr(fetching, "IMAGES", COUNTS)
        monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "default"))
        yield served
        server.shutdown()


def test_database_is_downloaded_once_with_its_terms(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fetch(tmp_path / "here")
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(COUNTS)
    assert folder.is_relative_to(tmp_path / "here")
    notice = capsys.readouterr().out
    for words in ("CC BY 4.0", "IEEE Access 8, 2020", "Computers in Biology and Medicine 132, 2021"):
        assert words in notice
    requests = len(host.requests)
    assert fetch(tmp_path / "here") == folder
    assert len(host.requests) == requests


def test_interrupted_download_resumes(host: Host, tmp_path: Path) -> None:
    host.hangs_up_after = 1_500_000
    with pytest.raises(UserError, match=r"the download stopped .*: with a network, the same command resumes"):
        fetch(tmp_path)
    host.hangs_up_after = None
    assert fetch(tmp_path).is_dir()
    assert host.requests[-1] == "from 1048576"


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("checksum", base64.b64encode(b"0" * 16).decode(), "the download is damaged, and was removed"),
        ("content", archive({**COUNTS, "Normal": 2}), "has 2 images of Normal and should have 3"),
        ("refuses", True, "the host refused"),
    ],
    ids=["damaged", "incomplete", "refused"],
)
def test_failed_download_has_a_reason(name: str, value: object, answer: str, host: Host, tmp_path: Path) -> None:
    setattr(host, name, value)
    with pytest.raises(UserError, match=answer):
        fetch(tmp_path)
    if name != "content":
        assert not [path for path in tmp_path.rglob("*") if path.suffix in (".archive", ".png")]
