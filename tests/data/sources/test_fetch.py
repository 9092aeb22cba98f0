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
    file, film = io.BytesIO(), io.BytesIO()
    Image.new("L", (32, 32)).save(film, "png")
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(f"{FOLDER}/README.md.txt", bytes(3_000_000))  # more than the client writes at a time
        for name, count in counts.items():
            for index in range(count):
                packed.writestr(f"{FOLDER}/{name}/images/{name}-{index}.png", film.getvalue())
    return file.getvalue()


@dataclass
class Host:
    """What the stand-in serves, what it was asked for, and after how many bytes it hangs up."""

    content: bytes
    hangs_up_after: int | None = None
    checksum: str | None = None
    refuses: bool = False
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Host]:
    """The client is told that the host is here."""
    served = Host(archive(COUNTS))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            served.asked.append(self.path)
            if served.refuses:
                self.send_error(403)
                return
            self.send_response(302)
            self.send_header("Location", "/archive.zip")
            self.end_headers()

        def do_GET(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            served.asked.append(f"from {start}")
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


def test_the_database_comes_with_its_terms_and_only_once(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = fetch(tmp_path / "here")
    assert {path.name for path in found.iterdir() if path.is_dir()} == set(COUNTS)
    assert found.is_relative_to(tmp_path / "here")
    said = capsys.readouterr().out
    assert "CC BY 4.0" in said
    assert "IEEE Access 8, 2020" in said
    assert "Computers in Biology and Medicine 132, 2021" in said
    asked = len(host.asked)
    assert fetch(tmp_path / "here") == found
    assert len(host.asked) == asked


def test_a_download_that_stopped_goes_on_where_it_was(host: Host, tmp_path: Path) -> None:
    host.hangs_up_after = 1_500_000
    with pytest.raises(UserError, match=r"the download stopped .*: with a network, the same command resumes"):
        fetch(tmp_path)
    host.hangs_up_after = None
    assert fetch(tmp_path).is_dir()
    assert host.asked[-1] == "from 1048576"


def test_a_damaged_archive_is_removed(host: Host, tmp_path: Path) -> None:
    host.checksum = base64.b64encode(b"0" * 16).decode()
    with pytest.raises(UserError, match="the download is damaged, and was removed"):
        fetch(tmp_path)
    assert not list(tmp_path.rglob("*.archive"))
    assert not list(tmp_path.rglob("*.png"))


def test_what_is_not_the_whole_database_is_not_trusted(host: Host, tmp_path: Path) -> None:
    host.content = archive({**COUNTS, "Normal": 2})
    with pytest.raises(UserError, match="has 2 images of Normal and should have 3"):
        fetch(tmp_path)


def test_a_host_that_refuses_or_is_not_there_is_said_so(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.refuses = True
    with pytest.raises(UserError, match="the host refused"):
        fetch(tmp_path)
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"the download stopped"):
        fetch(tmp_path)
