"""The hash cache: known files are not read again, unless they may have changed."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cxr.data.images.hash_cache import HashCache
from cxr.data.images.image_file import contents_of

PATHS = ("a.png", "b.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two files that were settled long ago."""
    (tmp_path / "images").mkdir()
    for name in PATHS:
        write(tmp_path / "images" / name, name)
    return tmp_path / "images"


def write(file: Path, text: str, age: float = 60) -> None:
    file.write_text(text)
    os.utime(file, (time.time() - age,) * 2)


def recalled(root: Path, paths: Sequence[str] = PATHS) -> set[str]:
    """The files that are recalled; afterwards the cache holds all."""
    hash_cache = HashCache(root.parent / "cache", root)
    known = hash_cache.recall(paths)
    contents = {path: content for path in paths if not isinstance(content := contents_of([f"{root}/{path}"])[0], OSError)}
    assert known == {path: contents[path] for path in known}
    hash_cache.remember(contents)
    return set(known)


def test_unchanged_files_are_recalled(root: Path) -> None:
    assert recalled(root) == set()
    assert recalled(root) == set(PATHS)
    assert recalled(root, (*PATHS, "missing.png")) == set(PATHS)


def test_file_of_another_size_or_time_is_not_recalled(root: Path) -> None:
    recalled(root)
    write(root / "a.png", "longer than before")
    write(root / "b.png", "b.pnG", age=30)
    assert recalled(root) == set()
    write(root / "a.png", "longer than before", age=0)  # it may change again without another time
    recalled(root)
    assert recalled(root) == {"b.png"}


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"rubbish", b'{"a.png": [1]}'])
def test_damaged_hash_cache_recalls_nothing(content: bytes, root: Path) -> None:
    recalled(root)
    (file,) = (root.parent / "cache/seen").iterdir()
    file.write_bytes(content)
    assert recalled(root) == set()
    assert recalled(root) == set(PATHS)


def test_unwritable_hash_cache_recalls_nothing(root: Path) -> None:
    (root.parent / "cache").write_text("a file where the folder should be")
    assert recalled(root) == set()
    assert recalled(root) == set()
