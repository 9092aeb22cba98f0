"""The cache: returns the rows of given ids, and computes those that it does not hold."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import Timeout
from numpy.typing import DTypeLike, NDArray
from platformdirs import user_cache_path

from cxr.cache.eviction import Kind, evict, lock_of
from cxr.cache.rows import Rows
from cxr.cache.shards import (
    UNFINISHED,
    CacheUnusable,
    Shard,
    Values,
    drop_shard,
    folder_name,
    indexes,
    read_shard,
    size_of,
    write_key,
    write_shard,
    writing,
)
from cxr.system import expanded

# Given positions in the ids: the rows' values in that order, in chunks, each with one JSON value a row.
Compute = Callable[[NDArray[np.int64]], Values]


@dataclass(frozen=True)
class Cache:
    """A folder of entries, with at most `limit` bytes in it; `tell` gets lines for the user."""

    folder: Path
    limit: int
    tell: Callable[[str], None] = lambda text: None

    def rows(
        self, kind: Kind, key: Mapping[str, Any], ids: Sequence[str], shape: tuple[int, ...], dtype: DTypeLike, compute: Compute
    ) -> tuple[Rows, list[Any]]:
        """The rows of ids under a cache key, and the JSON value of each. Missing rows are computed now and kept.

        If several processes need missing rows of a key, one computes at a time. Errors of `compute` pass through.

        Args:
            key: as JSON values, everything that a row depends on beside its id.
            shape, dtype: of a row.

        Raises:
            CacheUnusable: Rows can't be kept.
        """
        wanted = _Wanted(self.folder / kind / folder_name(key), ids, shape, np.dtype(dtype))
        shards = wanted.shards()
        if wanted.missing(shards):
            with self._locked(wanted.folder):
                with writing(self.folder):
                    wanted.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # for the owner alone
                write_key(wanted.folder, key)
                shards = wanted.shards(self._drop_damaged)
                if missing := wanted.missing(shards):
                    needed = size_of(len(missing), shape, wanted.dtype)
                    evict(self.folder, self.limit, needed, wanted.folder, {shard.index for shard in shards})
                    places = np.array(list(missing.values()), np.int64)
                    write_shard(wanted.folder, list(missing), shape, wanted.dtype, compute(places))
                    shards = wanted.shards()
                    if wanted.missing(shards):
                        raise CacheUnusable(f"what was written to {wanted.folder} can't be read back")
        return wanted.gathered(shards)

    def _locked(self, folder: Path) -> AbstractContextManager[Any]:
        with writing(self.folder):
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = lock_of(folder)
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                self.tell("another process is computing what this run needs: waiting for it")
                return lock.acquire()

    def _drop_damaged(self, index: Path) -> None:
        self.tell(f"a damaged file in the cache is dropped and computed again: {index}")
        with writing(self.folder):
            drop_shard(index)


@dataclass(frozen=True)
class _Wanted:
    """Requested rows, and the folder that holds them."""

    folder: Path
    ids: Sequence[str]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def shards(self, drop: Callable[[Path], None] | None = None) -> list[Shard]:
        """Every valid shard that has any of the ids; with `drop`, under the lock, all damaged ones and unfinished files go."""
        wanted = set(self.ids)
        read = {index: read_shard(index, self.shape, self.dtype) for index in indexes(self.folder)}
        if drop is not None:
            for index, shard in read.items():
                if shard is None:
                    drop(index)
            for array in self.folder.glob("*.npy"):
                if array.with_suffix(".json") not in read:
                    array.unlink(missing_ok=True)
            (self.folder / UNFINISHED).unlink(missing_ok=True)
        return [shard for shard in read.values() if shard is not None and not wanted.isdisjoint(shard.ids)]

    def missing(self, shards: list[Shard]) -> dict[str, int]:
        """The ids that no shard has, each with its first position."""
        known = {name for shard in shards for name in shard.ids}
        first: dict[str, int] = {}
        for place, name in enumerate(self.ids):
            if name not in known:
                first.setdefault(name, place)
        return first

    def gathered(self, shards: list[Shard]) -> tuple[Rows, list[Any]]:
        """The rows and their JSON values in the order of the ids; the shards are marked as used now."""
        if not self.ids:
            return Rows.of(np.empty((0, *self.shape), self.dtype)), []
        for shard in shards:
            with suppress(OSError):  # a read-only cache works too
                os.utime(shard.index)
        where = {name: (number, row) for number, shard in enumerate(shards) for row, name in enumerate(shard.ids)}
        places = np.array([where[name] for name in self.ids], np.int64)
        return Rows(tuple(shard.array for shard in shards), places), [shards[n].facts[row] for n, row in places]


def default_folder() -> Path:
    """The cache folder of this user: `CXR_CACHE`, or the system's cache folder."""
    chosen = os.environ.get("CXR_CACHE")
    return expanded(chosen) if chosen else user_cache_path("cxr")
