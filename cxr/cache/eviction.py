"""The size of the cache, and the eviction of least recently used shards."""

import json
import shutil
from collections.abc import Collection
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from rich.filesize import decimal as in_bytes

from cxr.cache.shards import KEY_FILE, CacheUnusable, drop_shard, indexes, is_in_use, reserve, writing

Kind = Literal["facts", "decoded", "activations"]
KINDS: tuple[Kind, ...] = ("facts", "decoded", "activations")
# Left free on the disk, regardless of the limit: on a full disk the run could not store its results.
SPARE_BYTES = 2**30


@dataclass(frozen=True)
class Entry:
    """The entry of one cache key: a folder of shards, and possibly files of a killed writer."""

    folder: Path

    @property
    def kind(self) -> str:
        """The kind of its rows."""
        return self.folder.parent.name

    @cached_property
    def key(self) -> dict[str, Any]:
        """The cache key of its rows; empty if it can't be read."""
        try:
            key = json.loads((self.folder / KEY_FILE).read_bytes())
        except (OSError, ValueError):
            return {}
        return key if isinstance(key, dict) else {}

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        count = 0
        for index in indexes(self.folder):
            with suppress(OSError, ValueError, KeyError, TypeError):
                count += len(json.loads(index.read_bytes())["ids"])
        return count

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(_stat(path)[0] for path in self.folder.glob("*"))

    @property
    def used(self) -> float:
        """The time of the last use of one of its rows, in seconds since 1970."""
        return max((_stat(index)[1] for index in indexes(self.folder)), default=0.0)


def entries_of(cache: Path) -> list[Entry]:
    """All entries, least recently used first."""
    entries = [Entry(folder) for kind in KINDS for folder in (cache / kind).glob("*") if folder.is_dir()]
    return sorted(entries, key=lambda entry: (entry.used, entry.folder))


def remove(entry: Entry) -> bool:
    """Drop an entry, unless another process writes to it. Processes that have it open keep their open files."""
    try:
        with lock_of(entry.folder).acquire(timeout=0):
            for index in indexes(entry.folder):
                drop_shard(index)  # first, so that what is left if this is cut off is not taken for whole
            shutil.rmtree(entry.folder)
    except OSError:  # another process' lock, or another user's files
        return False
    return True


def evict(cache: Path, limit: int, needed: int, own: Path, keep: Collection[Path]) -> None:
    """Evict the least recently used shards until `needed` bytes fit the limit and the disk, and reserve them in folder `own`.

    It never drops shards to `keep`, those that this process has open, and those of folders that are being written. The caller holds
    the lock of `own`.

    Raises:
        CacheUnusable: It would not be enough; nothing is dropped.
    """
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / "room.lock").acquire()
    with lock:
        entries = entries_of(cache)
        total = sum(entry.bytes for entry in entries)
        shards = [index for entry in entries for index in indexes(entry.folder) if index not in keep and not is_in_use(index)]
        shards.sort(key=lambda index: (_stat(index)[1], index))
        spare = sum(map(_bytes_of, shards))
        if total - spare + needed > limit:
            raise CacheUnusable(f"{in_bytes(needed)} do not fit the cache's limit: raise training.cache_limit_gb")
        if (free := _free(cache)) + spare < needed:
            raise CacheUnusable(f"{in_bytes(needed)} are needed and the disk has {in_bytes(free + spare)} to spare")
        for index in shards:
            if total + needed <= limit and _free(cache) >= needed:
                break
            size = _bytes_of(index)
            if _drop(index, own):
                total -= size
        if total + needed > limit or _free(cache) < needed:
            raise CacheUnusable(f"{in_bytes(needed)} do not fit: other processes are using the entries that would be evicted")
        reserve(own, needed)


def lock_of(folder: Path) -> FileLock:
    """The lock for writing to an entry or deleting from it. Its file is beside the folder and is never removed."""
    return FileLock(folder.with_suffix(".lock"))


def _drop(index: Path, own: Path) -> bool:
    try:
        with nullcontext() if index.parent == own else lock_of(index.parent).acquire(timeout=0):
            drop_shard(index)
            if index.parent != own and not indexes(index.parent):
                shutil.rmtree(index.parent)
    except OSError:  # as in `remove`
        return False
    return True


def _bytes_of(index: Path) -> int:
    return _stat(index)[0] + _stat(index.with_suffix(".npy"))[0]


def _stat(path: Path) -> tuple[int, float]:
    """Bytes and time of change; zeros for a file that was just removed."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0.0
    return status.st_size, status.st_mtime


def _free(cache: Path) -> int:
    return max(0, shutil.disk_usage(cache).free - SPARE_BYTES)
