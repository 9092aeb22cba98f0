"""Regular files are read, anything else is rejected."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cxr.data.images.files import MOST_BYTES, read_file
from cxr.data.images.image_file import contents_of, decode
from cxr.errors import UserError


def test_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 70_000)
    assert read_file(str(tmp_path / "a")) == b"x" * 70_000


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, MOST_BYTES + 1)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "sparse": sparse,
    "loop": lambda path: path.symlink_to(path),
    "absent": str,
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_anything_but_a_file_of_an_images_size_is_bad_at_once(kind: str, tmp_path: Path) -> None:
    NO_FILES[kind](tmp_path / "a.png")
    (error,) = contents_of([str(tmp_path / "a.png")])
    assert isinstance(error, OSError)
    assert error.strerror


def test_fault_of_the_machine_is_no_bad_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"x")

    def gone(_: str) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("cxr.data.images.files.os.stat", gone)
    with pytest.raises(UserError, match="try again"):
        contents_of([str(tmp_path / "a.png")])


def test_fault_of_cxr_is_no_bad_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache would keep it as a fact of the file."""

    def broken(_: bytes, grey: str | None) -> None:
        raise AttributeError("a fault of cxr's")

    monkeypatch.setattr("cxr.data.images.image_file.decode_image", broken)
    with pytest.raises(AttributeError):
        decode(b"x", None)
