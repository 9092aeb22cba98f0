"""Regular files are read, anything else is rejected."""

import errno
import os
from pathlib import Path

import pytest

from cxr.data.images.files import MOST_BYTES, read_file
from cxr.data.images.image_file import contents_of, decode
from cxr.errors import UserError


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 70_000)
    assert read_file(str(tmp_path / "a")) == b"x" * 70_000


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "sparse", "loop", "absent"])
def test_what_is_no_file_of_a_films_size_is_a_bad_image_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        path.touch()
        os.truncate(path, MOST_BYTES + 1)
    elif kind == "loop":
        path.symlink_to(path)
    (found,) = contents_of([str(path)])
    assert isinstance(found, OSError)
    assert found.strerror


def test_a_fault_of_the_machine_says_nothing_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"x")

    def gone(_: str) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("cxr.data.images.files.os.stat", gone)
    with pytest.raises(UserError, match="try again"):
        contents_of([str(tmp_path / "a.png")])


def test_a_fault_of_cxr_is_no_bad_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be kept in the cache as what is known of the file."""

    def broken(_: bytes) -> None:
        raise AttributeError("a fault of cxr's")

    monkeypatch.setattr("cxr.data.images.image_file.decode_image", broken)
    with pytest.raises(AttributeError):
        decode(b"x", None)
