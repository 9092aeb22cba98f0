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
from cxr.cache.rows import Rows
from cxr.cache.shards import CacheUnusable, Values, indexes
from cxr.cache.store import Cache

# Of the id "c" the values are all 99. With "wait" it waits for a line after the one that it prints before each row.
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
rows, _ = cache.rows("activations", {"name": "r"}, list("abcdef"), (4,), np.float32, compute)
print("have", rows[np.arange(6)][:, 0].tolist(), flush=True)
"""
Writer = Callable[[str], subprocess.Popen[str]]


class Computing:
    """Keeps the ids that it computed; the row of an id holds its letter's number, and its fact is the id."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids, self.computed = ids, list[str]()

    def __call__(self, places: NDArray[np.int64]) -> Values:
        for place in places:
            self.computed.append(self.ids[place])
            yield np.full((1, 4), ord(self.ids[place]), np.float32), [self.ids[place]]


def keep(cache: Cache, ids: str, name: str = "r") -> tuple[Rows, list[str]]:
    """The rows of these ids from the cache, and the ids that were computed for it."""
    computing = Computing(ids)
    rows, facts = cache.rows("activations", {"name": name}, list(ids), (4,), np.float32, computing)
    np.testing.assert_array_equal(rows[np.arange(len(ids))], np.repeat([[float(ord(name))] for name in ids], 4, axis=1))
    assert facts == list(ids)
    return rows, computing.computed


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**9)


def test_each_id_is_computed_once(cache: Cache) -> None:
    assert keep(cache, "abcab")[1] == list("abc")
    assert keep(cache, "cab")[1] == []
    assert keep(cache, "xbay")[1] == list("xy")
    assert keep(cache, "yxcba")[1] == []
    assert cache.rows("activations", {}, [], (4,), np.float32, Computing(""))[0].shape == (0, 4)


def test_another_key_is_another_entry(cache: Cache) -> None:
    keep(cache, "ab", "one")
    assert keep(cache, "ab", "other")[1] == list("ab")
    assert [entry.key for entry in entries_of(cache.folder)] == [{"name": "one"}, {"name": "other"}]


def index_of(cache: Cache) -> Path:
    (path,) = indexes(entries_of(cache.folder)[0].folder)
    return path


def flip_a_byte(index: Path) -> None:
    content = bytearray(index.with_suffix(".npy").read_bytes())
    content[-3] ^= 1
    index.with_suffix(".npy").write_bytes(content)


def swap_ids(index: Path) -> None:
    fields = json.loads(index.read_text())
    index.write_text(json.dumps({**fields, "ids": fields["ids"][::-1]}))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped byte": flip_a_byte,
    "torn array": lambda index: os.truncate(index.with_suffix(".npy"), index.with_suffix(".npy").stat().st_size - 7),
    "lost array": lambda index: index.with_suffix(".npy").unlink(),
    "exchanged array": lambda index: np.save(index.with_suffix(".npy"), np.zeros((3, 4), np.float32)),
    "swapped ids": swap_ids,
    "torn index": lambda index: os.truncate(index, index.stat().st_size - 20),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_shard_is_computed_again(damage: str, cache: Cache) -> None:
    messages: list[str] = []
    keep(cache, "abc")
    DAMAGES[damage](index_of(cache))
    again = Cache(cache.folder, cache.limit, messages.append)
    assert keep(again, "abc")[1] == list("abc")
    assert ["damaged" in message for message in messages] == [True]
    assert keep(again, "abc")[1] == []


def test_array_is_never_unpickled(cache: Cache) -> None:
    keep(cache, "abc")
    index = index_of(cache)
    np.save(index.with_suffix(".npy"), np.array([print, print, print]), allow_pickle=True)
    digest = hashlib.sha256(index.with_suffix(".npy").read_bytes()).hexdigest()
    content = json.dumps({"array": digest, "ids": ["a", "b", "c"], "facts": [None] * 3}).encode()
    stem = index.with_name(hashlib.sha256(content).hexdigest())
    index.with_suffix(".npy").rename(stem.with_suffix(".npy"))
    index.unlink()
    stem.with_suffix(".json").write_bytes(content)
    assert keep(cache, "abc")[1] == list("abc")


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError], ids=lambda error: str(error.__name__))
def test_failing_computation_raises_and_leaves_nothing(error: type[Exception], cache: Cache) -> None:
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


def release(process: subprocess.Popen[str], lines: int) -> None:
    assert process.stdin is not None
    process.stdin.write("\n" * lines)
    process.stdin.flush()


HAVE = f"have {[float(ord(name)) for name in 'abcdef']}"


def test_killed_writer_leaves_no_trace(cache: Cache, writer: Writer) -> None:
    killed = writer("wait")
    for _ in range(3):
        assert line_of(killed) == "computing"
        release(killed, 1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert list(cache.folder.rglob("*.part"))  # it was in the middle
    after = writer("go")
    assert [line_of(after) for _ in range(7)] == ["computing"] * 6 + [HAVE]
    assert not list(cache.folder.rglob("*.part"))


def test_second_process_waits_for_the_rows_of_the_first(writer: Writer) -> None:
    first = writer("wait")
    assert line_of(first) == "computing"
    second = writer("go")
    assert "waiting for it" in line_of(second)
    release(first, 6)
    assert [line_of(first) for _ in range(6)] == ["computing"] * 5 + [HAVE]
    assert line_of(second) == HAVE


def test_rows_are_read_while_another_process_computes(cache: Cache) -> None:
    keep(cache, "abc")
    with lock_of(entries_of(cache.folder)[0].folder):
        assert keep(cache, "ca")[1] == []


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheUnusable, match="can't write to"):
        keep(Cache(tmp_path / "file", 10**9), "ab")
