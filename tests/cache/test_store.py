"""The cache: nothing is computed twice, damaged files are not used, and processes wait for each other."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.cache.eviction import entries_of, lock_of
from cxr.cache.shards import CacheUnusable, Values, indexes
from cxr.cache.store import Cache, Kept

# Of the id "c" the values are all 99. It says a line before each row, and waits for one if it was told to.
WRITER = """
import sys
import numpy as np
from pathlib import Path
from cxr.cache.store import Cache
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

    def __call__(self, places: NDArray[np.int64]) -> Values:
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
    assert [entry.key for entry in entries_of(cache.folder)] == [{"name": "one"}, {"name": "other"}]


def test_nothing_is_asked_for_nothing(cache: Cache) -> None:
    assert cache.rows("activations", {}, [], (4,), np.float32, Computing("")).rows.shape == (0, 4)


def index_of(folder: Path) -> Path:
    (path,) = indexes(folder)
    return path


def flip_a_byte(index: Path) -> None:
    content = bytearray(index.with_suffix(".npy").read_bytes())
    content[-3] ^= 1
    index.with_suffix(".npy").write_bytes(content)


def tear(index: Path) -> None:
    index.with_suffix(".npy").write_bytes(index.with_suffix(".npy").read_bytes()[:-7])


def lose_the_array(index: Path) -> None:
    index.with_suffix(".npy").unlink()


def exchange_the_array(index: Path) -> None:
    np.save(index.with_suffix(".npy"), np.zeros((3, 4), np.float32))


def swap_ids(index: Path) -> None:
    index.write_text(json.dumps({**(said := json.loads(index.read_text())), "ids": said["ids"][::-1]}))


def tear_the_index(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:-20])


DAMAGES = [flip_a_byte, tear, lose_the_array, exchange_the_array, swap_ids, tear_the_index]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_computed_again(damage: Callable[[Path], None], cache: Cache) -> None:
    told: list[str] = []
    keep(cache, "abc")
    damage(index_of(entries_of(cache.folder)[0].folder))
    again = Cache(cache.folder, cache.limit, told.append)
    assert keep(again, "abc")[1] == list("abc")
    assert ["damaged" in text for text in told] == [True]
    assert keep(again, "abc")[1] == []


def test_an_array_is_never_unpickled(cache: Cache) -> None:
    keep(cache, "abc")
    index = index_of(entries_of(cache.folder)[0].folder)
    np.save(index.with_suffix(".npy"), np.array([print, print, print]), allow_pickle=True)
    digest = hashlib.sha256(index.with_suffix(".npy").read_bytes()).hexdigest()
    content = json.dumps({"array": digest, "ids": ["a", "b", "c"], "facts": [None] * 3}).encode()
    stem = index.with_name(hashlib.sha256(content).hexdigest())
    index.with_suffix(".npy").rename(stem.with_suffix(".npy"))
    index.unlink()
    stem.with_suffix(".json").write_bytes(content)
    assert keep(cache, "abc")[1] == list("abc")


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError], ids=lambda error: str(error.__name__))
def test_a_computation_that_fails_says_so_and_leaves_nothing(error: type[Exception], cache: Cache) -> None:
    def fail(places: NDArray[np.int64]) -> Values:
        yield np.zeros((1, 4), np.float32), ["a"]
        raise error

    with pytest.raises(error):
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


def test_what_is_there_is_given_while_another_process_computes(cache: Cache) -> None:
    keep(cache, "abc")
    with lock_of(entries_of(cache.folder)[0].folder):
        assert keep(cache, "ca")[1] == []


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheUnusable, match="can't write to"):
        keep(Cache(tmp_path / "file", 10**9), "ab")
