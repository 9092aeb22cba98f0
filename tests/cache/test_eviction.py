"""Eviction: least recently used shards go first, shards in use stay, and nothing is evicted in vain."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.cache.eviction import SPARE_BYTES, entries_of, lock_of, remove
from cxr.cache.shards import KEY_FILE, CacheUnusable, Values, indexes, size_of
from cxr.cache.store import Cache
from tests.cache.test_store import Computing, keep

FOUR_ROWS = size_of(4, (4,), np.dtype(np.float32))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**9)


def names(cache: Cache) -> set[str]:
    """The names of the keys that have rows."""
    return {entry.key["name"] for entry in entries_of(cache.folder) if entry.rows}


def used_at(cache: Cache, **seconds: float) -> None:
    """Set when the entry of each name was last used."""
    for entry in entries_of(cache.folder):
        for index in indexes(entry.folder):
            os.utime(index, times=(seconds[entry.key["name"]],) * 2)


def tight(cache: Cache, rows: int = 4) -> Cache:
    """The same folder with a limit that is a byte too low for so many more rows."""
    return Cache(cache.folder, sum(entry.bytes for entry in entries_of(cache.folder)) - 1 + FOUR_ROWS * rows // 4)


@pytest.mark.parametrize(("read", "evicted"), [("one", "two"), ("two", "three")])
def test_entry_that_was_read_least_recently_is_evicted(read: str, evicted: str, cache: Cache) -> None:
    for name in ("one", "two", "three"):
        keep(cache, "abcd", name)
    used_at(cache, two=1000, three=2000, one=3000)
    keep(cache, "b", read)
    keep(tight(cache), "abcd", "four")
    assert names(cache) == {"one", "two", "three", "four"} - {evicted}


def test_entry_that_this_process_has_open_stays(cache: Cache) -> None:
    held, _ = keep(cache, "abcd", "held")
    keep(cache, "abcd", "free")
    used_at(cache, held=1000, free=2000)
    keep(tight(cache), "abcd", "new")
    assert names(cache) == {"held", "new"}
    assert held[np.array([2])][0, 0] == ord("c")


def test_unrequested_rows_of_an_entry_make_room_for_others(cache: Cache) -> None:
    keep(cache, "abcd")
    keep(cache, "efgh")
    assert keep(tight(cache, rows=2), "efghij")[1] == list("ij")
    assert entries_of(cache.folder)[0].rows == len("efghij")


def test_rows_that_do_not_fit_are_refused_and_nothing_is_evicted(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache, "abcd", "small")
    with pytest.raises(CacheUnusable, match=r"do not fit the cache's limit: raise training\.cache_limit_gb"):
        keep(Cache(cache.folder, FOUR_ROWS), "abcdefgh", "large")
    usage = shutil.disk_usage(cache.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=SPARE_BYTES + 10))
    with pytest.raises(CacheUnusable, match=r"3\.3 kB are needed and the disk has \d\d\d bytes to spare"):
        keep(cache, "abcdefgh", "large")
    assert names(cache) == {"small"}


def test_entry_that_is_being_written_counts(cache: Cache) -> None:
    small = Cache(cache.folder, FOUR_ROWS + 100)

    def compute(places: NDArray[np.int64]) -> Values:
        with pytest.raises(CacheUnusable, match="do not fit"):
            keep(small, "abcd", "beside")
        yield from Computing("abcd")(places)

    small.rows("activations", {"name": "first"}, list("abcd"), (4,), np.float32, compute)
    assert names(cache) == {"first"}


def test_removed_entry_that_is_open_can_still_be_read(cache: Cache) -> None:
    rows, _ = keep(cache, "abc")
    assert remove(entries_of(cache.folder)[0])
    assert entries_of(cache.folder) == []
    assert rows[np.array([2])][0, 0] == ord("c")


def test_locked_or_foreign_entry_is_not_removed(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache, "abc")
    (entry,) = entries_of(cache.folder)
    with lock_of(entry.folder):
        assert not remove(entry)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert not remove(entry)
    monkeypatch.undo()
    assert keep(cache, "abc")[1] == []


def test_entry_with_an_unreadable_key_is_used(cache: Cache) -> None:
    keep(cache, "abc")
    (entries_of(cache.folder)[0].folder / KEY_FILE).write_bytes(b"{")
    (entry,) = entries_of(cache.folder)
    assert (entry.key, entry.rows) == ({}, 3)
    assert entry.bytes > 3 * 16
    assert keep(cache, "abc")[1] == []
