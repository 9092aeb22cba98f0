"""The cache: nothing is computed twice, nothing that is damaged is trusted, and it stays within its bounds."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cxr.cache import SPARE_BYTES, Cache, CacheUnusable, Kept, Rows

ROW_BYTES = 4 * 4
# Of the id "c" the values are all 99. It says a line before each row, and waits for one if it was told to.
WRITER = """
import sys
import numpy as np
from pathlib import Path
from cxr.cache import Cache
def compute(places):
    for place in places:
        print("computing", flush=True)
        if sys.argv[2] == "wait":
            sys.stdin.readline()
        yield np.full((1, 4), ord("abcdef"[place]), np.float32), [None]
cache = Cache(Path(sys.argv[1]), 10**9, tell=lambda text: print(text, flush=True))
kept = cache.rows("activations", {"name": "r"}, list("abcdef"), (4,), np.float32, compute)
print("have", kept.rows[np.arange(6)][:, 0].tolist(), flush=True)
"""
Writer = Callable[[str], subprocess.Popen[str]]


class Computing:
    """Counts what it is asked for; the row of an id holds its letter's number, and its fact is the id."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids, self.asked = ids, list[str]()

    def __call__(self, places: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], list[str]]]:
        for place in places:
            self.asked.append(self.ids[place])
            yield np.full((1, 4), ord(self.ids[place]), np.float32), [self.ids[place]]


def keep(cache: Cache, ids: str, name: str = "r") -> tuple[Kept, list[str]]:
    """What the cache gives for these ids, and what had to be computed for it."""
    computing = Computing(ids)
    kept = cache.rows("activations", {"name": name}, list(ids), (4,), np.float32, computing)
    np.testing.assert_array_equal(kept.rows[np.arange(len(ids))], np.repeat([[float(ord(each))] for each in ids], 4, axis=1))
    assert kept.facts == list(ids)
    assert kept.computed == len(computing.asked)
    return kept, computing.asked


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**9)


def test_what_is_there_is_not_computed_again(cache: Cache) -> None:
    assert keep(cache, "abc")[1] == list("abc")
    assert keep(cache, "cab")[1] == []
    assert keep(cache, "xbay")[1] == list("xy")
    assert keep(cache, "yxcba")[1] == []


def test_an_id_that_comes_twice_is_computed_once(cache: Cache) -> None:
    assert keep(cache, "abab")[1] == list("ab")


def test_another_recipe_is_another_entry(cache: Cache) -> None:
    keep(cache, "ab", "one")
    assert keep(cache, "ab", "other")[1] == list("ab")
    assert [entry.recipe for entry in cache.entries()] == [{"name": "one"}, {"name": "other"}]


def test_nothing_is_asked_for_nothing(cache: Cache) -> None:
    assert cache.rows("activations", {}, [], (4,), np.float32, Computing("")).rows.shape == (0, 4)


def flip_a_byte(folder: Path) -> None:
    (path,) = folder.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def tear(folder: Path) -> None:
    (path,) = folder.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-7])


def lose_the_array(folder: Path) -> None:
    next(folder.glob("*.npy")).unlink()


def swap_ids(folder: Path) -> None:
    index = index_of(folder)
    index.write_text(json.dumps({**(said := json.loads(index.read_text())), "ids": said["ids"][::-1]}))


def tear_the_index(folder: Path) -> None:
    index_of(folder).write_bytes(index_of(folder).read_bytes()[:-20])


def point_elsewhere(folder: Path) -> None:
    """Another array of the right size under a name that is not its hash."""
    index = index_of(folder)
    np.save(folder / "elsewhere.npy", np.zeros((3, 4), np.float32))
    index.write_text(json.dumps({**json.loads(index.read_text()), "array": "elsewhere"}))


def index_of(folder: Path) -> Path:
    (path,) = (path for path in folder.glob("*.json") if path.name != "recipe.json")
    return path


@pytest.mark.parametrize("damage", [flip_a_byte, tear, lose_the_array, swap_ids, tear_the_index, point_elsewhere])
def test_what_is_damaged_is_computed_again(damage: Callable[[Path], None], cache: Cache) -> None:
    told: list[str] = []
    keep(cache, "abc")
    damage(cache.entries()[0].folder)
    again = Cache(cache.folder, cache.limit, told.append)
    assert keep(again, "abc")[1] == list("abc")
    assert ["damaged" in text for text in told] == [True]
    assert keep(again, "abc")[1] == []


def test_a_recipe_that_can_not_be_read_does_no_harm(cache: Cache) -> None:
    keep(cache, "abc")
    (cache.entries()[0].folder / "recipe.json").write_bytes(b"{")
    assert [entry.recipe for entry in cache.entries()] == [{}]
    assert keep(cache, "abc")[1] == []


def test_an_array_is_never_unpickled(cache: Cache) -> None:
    keep(cache, "abc")
    folder = cache.entries()[0].folder
    (path,) = folder.glob("*.npy")
    np.save(path, np.array([print, print, print]), allow_pickle=True)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(folder / f"{digest}.npy")
    index = json.dumps({"array": digest, "ids": ["a", "b", "c"], "facts": [None] * 3}).encode()
    index_of(folder).unlink()
    (folder / f"{hashlib.sha256(index).hexdigest()}.json").write_bytes(index)
    assert keep(cache, "abc")[1] == list("abc")


def test_a_computation_that_fails_leaves_nothing_to_be_found(cache: Cache) -> None:
    def fail(places: NDArray[np.int64]) -> Iterator[tuple[NDArray[Any], list[str]]]:
        yield np.zeros((1, 4), np.float32), ["a"]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.rows("activations", {"name": "r"}, list("abc"), (4,), np.float32, fail)
    assert keep(cache, "abc")[1] == list("abc")
    assert not list(cache.folder.rglob("*.part"))


@pytest.fixture
def writer(cache: Cache) -> Iterator[Writer]:
    """Start another process that wants six rows."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, str(cache.folder), how]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str], lines: int) -> None:
    assert process.stdin is not None
    process.stdin.write("\n" * lines)
    process.stdin.flush()


HAVE = f"have {[float(ord(each)) for each in 'abcdef']}"


def test_a_writer_that_is_killed_in_the_middle_is_as_if_it_had_never_been(cache: Cache, writer: Writer) -> None:
    killed = writer("wait")
    for _ in range(3):
        assert line_of(killed) == "computing"
        go_on(killed, 1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert list(cache.folder.rglob("*.part"))  # it was in the middle
    after = writer("go")
    assert [line_of(after) for _ in range(7)] == ["computing"] * 6 + [HAVE]
    assert not list(cache.folder.rglob("*.part"))


def test_of_two_that_want_the_same_one_computes_and_the_other_waits(writer: Writer) -> None:
    first = writer("wait")
    assert line_of(first) == "computing"
    second = writer("go")
    assert "waiting for it" in line_of(second)
    go_on(first, 6)
    assert [line_of(first) for _ in range(6)] == ["computing"] * 5 + [HAVE]
    assert line_of(second) == HAVE


def test_the_least_recently_used_goes_first(cache: Cache) -> None:
    for name in ("one", "two", "three"):
        keep(cache, "abcdefgh", name)
    used = dict(zip(("two", "three", "one"), (1000.0, 2000.0, 3000.0), strict=True))
    for entry in cache.entries():
        os.utime(entry.folder / "recipe.json", times=(used[entry.recipe["name"]],) * 2)
    total = sum(entry.bytes for entry in cache.entries())
    tight = Cache(cache.folder, total)
    keep(tight, "abcdefgh", "four")
    assert {entry.recipe["name"] for entry in tight.entries()} == {"three", "one", "four"}
    assert keep(tight, "abcdefgh", "three")[1] == []


def test_an_entry_that_is_open_elsewhere_can_still_be_read(cache: Cache) -> None:
    kept, _ = keep(cache, "abc")
    assert cache.remove(cache.entries()[0])
    assert kept.rows[np.array([2])][0, 0] == ord("c")


def test_what_does_not_fit_is_refused_and_nothing_is_lost_for_it(cache: Cache) -> None:
    keep(cache, "ab", "small")
    with pytest.raises(CacheUnusable, match=r"raise training\.cache_limit_gb"):
        keep(Cache(cache.folder, 10 * ROW_BYTES), "abcdefghijkl", "large")
    assert [entry.recipe["name"] for entry in cache.entries() if entry.rows] == ["small"]


def test_a_full_disk_is_told(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(cache.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=SPARE_BYTES + 3 * ROW_BYTES))
    keep(cache, "abc", "fits")
    with pytest.raises(CacheUnusable, match=r"64 bytes are needed and the disk has 48 bytes to spare"):
        keep(cache, "abcd", "too large")


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheUnusable, match="can't write to"):
        keep(Cache(tmp_path / "file", 10**9), "ab")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_rows_of_several_arrays_are_as_of_one(lengths: list[int], data: st.DataObject) -> None:
    arrays = tuple(np.random.default_rng(0).random((length, 2, 3)) for length in lengths)
    where = np.array([(number, row) for number, length in enumerate(lengths) for row in range(length)]).reshape(-1, 2)
    whole, rows = np.concatenate(arrays), Rows(arrays, where)
    assert (rows.shape, rows.dtype, len(rows)) == (whole.shape, whole.dtype, len(whole))
    if len(whole):
        chosen = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=10)), np.int64)
        np.testing.assert_array_equal(rows[chosen], whole[chosen])
        np.testing.assert_array_equal(rows.only(chosen)[np.arange(len(chosen))], whole[chosen])
        np.testing.assert_array_equal(rows[int(where.shape[0] - 1)], whole[-1])
