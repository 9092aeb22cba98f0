"""Shards: arrays on disk with an index of their rows. Both are verified by their hashes when they are opened."""

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import FileRows

KEY_FILE = "recipe.json"  # the name that version 0.1 gave it
UNFINISHED = "array.part"

# Chunks of values (k, ...) with one JSON value a row.
Values = Generator[tuple[NDArray[Any], Sequence[Any]], None, None]

_checked: set[tuple[str, int, int]] = set()  # files whose content this process has hashed, by path, size and time of change
_open: "WeakValueDictionary[str, FileRows]" = WeakValueDictionary()  # arrays that this process still uses, by their index


class CacheUnusable(Exception):
    """Rows can't be kept on disk; the text says why, for the user."""


@dataclass(frozen=True)
class Shard:
    """An array (n, ...) with the ids and facts of its rows. Index and array differ in their suffix only."""

    index: Path
    array: FileRows
    ids: list[str]
    facts: list[Any]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into `CacheUnusable`; for writing only.

    Raises:
        CacheUnusable: The block raised an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise CacheUnusable(f"can't write to {folder} ({error.strerror})") from None


def indexes(folder: Path) -> list[Path]:
    """The index of each shard in a folder, sorted."""
    return sorted(path for path in folder.glob("*.json") if path.name != KEY_FILE)


def read_shard(index: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Shard | None:
    """A shard whose index and array match their hashes; None if they are damaged or gone."""
    try:
        content = index.read_bytes()
        if hashlib.sha256(content).hexdigest() != index.stem:
            return None
        fields = json.loads(content)
        path = index.with_suffix(".npy")
        stat = path.stat()
        if (mark := (str(path), stat.st_size, stat.st_mtime_ns)) not in _checked:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != fields["array"]:
                    return None
            _checked.add(mark)
        array = _open.get(str(index))
        if array is None or array.identity != (stat.st_dev, stat.st_ino, stat.st_size):
            array = FileRows(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if array.shape != (len(fields["ids"]), *shape) or array.dtype != dtype or len(fields["facts"]) != len(array):
        return None
    _open[str(index)] = array
    return Shard(index, array, fields["ids"], fields["facts"])


def is_in_use(index: Path) -> bool:
    """Whether this process holds the array open: deleting it would free no space."""
    return str(index) in _open


def size_of(rows: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """The approximate bytes of a shard on disk; its index has about 400 for each row."""
    return rows * (int(np.prod(shape)) * dtype.itemsize + 400)


def write_shard(folder: Path, ids: list[str], shape: tuple[int, ...], dtype: np.dtype[Any], values: Values) -> None:
    """Write a shard, the index last, so that every index belongs to a complete array.

    Nothing is forced to the disk: what a power failure tears is found to be torn by its hash. Errors of `values` pass through, and
    nothing is left behind.

    Args:
        values: chunks (k, *shape), and a fact for each of the k rows.
    """
    unfinished, facts = folder / UNFINISHED, list[Any]()
    try:
        with closing(values):
            with writing(folder):
                file = unfinished.open("r+b" if unfinished.exists() else "wb")
            with file:
                hashing = _Hashing(file, folder)
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(ids), *shape)}
                np.lib.format.write_array_header_2_0(hashing, header)
                for chunk, chunk_facts in values:
                    hashing.write(np.ascontiguousarray(chunk, dtype).data)
                    facts.extend(chunk_facts)
                with writing(folder):
                    file.truncate()
        content = _json({"array": hashing.digest.hexdigest(), "ids": ids, "facts": facts})
        index = folder / f"{hashlib.sha256(content).hexdigest()}.json"
        with writing(folder):
            (folder / "index.part").write_bytes(content)
            unfinished.replace(index.with_suffix(".npy"))
            (folder / "index.part").replace(index)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def drop_shard(index: Path) -> None:
    """Delete a shard, the index first.

    Raises:
        OSError: That is not allowed.
    """
    index.unlink(missing_ok=True)
    index.with_suffix(".npy").unlink(missing_ok=True)


def reserve(folder: Path, count: int) -> None:
    """Reserve bytes on disk for the next array, if the system supports it."""
    with writing(folder), (folder / UNFINISHED).open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, count)
        else:
            file.truncate(count)  # counted, though the disk may yet fill up


def write_key(folder: Path, key: Any) -> None:
    """Write the cache key of a folder, once and atomically."""
    if not (folder / KEY_FILE).exists():
        with writing(folder):
            (folder / "key.part").write_bytes(_json(key))
            (folder / "key.part").replace(folder / KEY_FILE)


def folder_name(key: Any) -> str:
    """The folder name of a cache key, from its content alone."""
    return hashlib.sha256(_json(key)).hexdigest()[:32]


class _Hashing:
    """A file that hashes what is written to it."""

    def __init__(self, file: Any, folder: Path) -> None:
        self.file, self.folder, self.digest = file, folder, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        with writing(self.folder):
            return int(self.file.write(data))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
