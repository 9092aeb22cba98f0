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


def look(root: Path, paths: Sequence[str] = PATHS) -> set[str]:
    """Which files are recalled; all of them are remembered afterwards."""
    hash_cache = HashCache(root.parent / "cache", root)
    recalled = hash_cache.recall(paths)
    found = {path: content for path in paths if not isinstance(content := contents_of([f"{root}/{path}"])[0], OSError)}
    assert recalled == {path: found[path] for path in recalled}
    hash_cache.remember(found)
    return set(recalled)


def test_unchanged_files_are_recalled(root: Path) -> None:
    assert look(root) == set()
    assert look(root) == set(PATHS)
    assert look(root, (*PATHS, "missing.png")) == set(PATHS)


def test_a_file_of_another_size_or_time_is_not(root: Path) -> None:
    look(root)
    write(root / "a.png", "longer than before")
    write(root / "b.png", "b.pnG", age=30)
    assert look(root) == set()


def test_a_file_that_has_just_changed_is_not(root: Path) -> None:
    write(root / "a.png", "a.png", age=0)
    look(root)
    assert look(root) == {"b.png"}


@pytest.mark.parametrize("content", [b"", b"[1, 2]", b"rubbish", b'{"a.png": [1]}'])
def test_a_damaged_memory_is_none(content: bytes, root: Path) -> None:
    look(root)
    (memory,) = (root.parent / "cache/seen").iterdir()
    memory.write_bytes(content)
    assert look(root) == set()
    assert look(root) == set(PATHS)


def test_where_it_can_not_be_kept_nothing_is_recalled(root: Path) -> None:
    (root.parent / "cache").write_text("a file where the folder should be")
    assert look(root) == set()
    assert look(root) == set()
