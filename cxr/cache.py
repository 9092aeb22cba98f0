"""Arrays kept on disk between runs: found by content, checked when opened, made by one process at a time, bounded in size."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import DTypeLike, NDArray
from platformdirs import user_cache_path
from rich.filesize import decimal as in_bytes

Kind = Literal["decoded", "activations"]
KINDS: tuple[Kind, ...] = ("decoded", "activations")
# Left free on the disk, whatever the limit: a full disk would take the run's own results with it.
SPARE_BYTES = 2**30
_checked: set[tuple[str, int, int]] = set()  # files whose content this process has hashed, by path, size and time of change

# Given positions in the ids: the rows' values in that order, in pieces (k, ...), each with one JSON value a row.
Compute = Callable[[NDArray[np.int64]], Iterator[tuple[NDArray[Any], Sequence[Any]]]]


class CacheUnusable(Exception):
    """What was asked for can't be kept on disk, and why: for the user to read."""


@dataclass(frozen=True)
class Rows:
    """Rows of one shape, from several arrays as from one: `rows[[3, 1]]` is a copy of two of them, (2, ...)."""

    arrays: tuple[NDArray[Any], ...]
    where: NDArray[np.int64]  # (n, 2): which array, which row of it

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of each."""
        return (len(self.where), *self.arrays[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.arrays[0].dtype

    def __len__(self) -> int:
        return len(self.where)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        where = self.where[rows]
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][where[..., 1]])
        found = np.empty((*where.shape[:-1], *self.shape[1:]), self.dtype)
        for number, array in enumerate(self.arrays):
            mine = where[..., 0] == number
            found[mine] = array[where[mine][:, 1]]
        return found

    def only(self, rows: NDArray[np.int64]) -> "Rows":
        """Some of the rows, without copying any."""
        return Rows(self.arrays, self.where[rows])


@dataclass(frozen=True)
class Kept:
    """Rows from the cache, the JSON value that was kept with each, and how many had to be computed now."""

    rows: Rows
    facts: list[Any]
    computed: int


@dataclass(frozen=True)
class Entry:
    """Everything that is kept under one recipe."""

    folder: Path
    kind: str
    recipe: dict[str, Any]
    rows: int
    bytes: int
    used: float  # seconds since 1970


@dataclass(frozen=True)
class Cache:
    """A folder of entries, with at most `limit` bytes in it; `tell` hears in a line what a user should know."""

    folder: Path
    limit: int
    tell: Callable[[str], None] = lambda text: None

    def rows(
        self, kind: Kind, recipe: Mapping[str, Any], ids: Sequence[str], shape: tuple[int, ...], dtype: DTypeLike, compute: Compute
    ) -> Kept:
        """The row of each id under a recipe: those that are there, and the others computed now and kept.

        `recipe` says, in JSON values, all that a row depends on beside its id; `shape` and `dtype` are a row's. Of several
        processes that want the same recipe one computes at a time. Raises `CacheUnusable` where rows can't be kept.
        """
        folder = self.folder / kind / _hash(_json(recipe))[:32]
        with self._locked(folder):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # images of patients are no one else's business
                (folder / "recipe.json").write_bytes(_json(recipe))  # its time of change says when the entry was last used
            except OSError as error:
                raise CacheUnusable(f"can't write to {self.folder} ({error.strerror})") from None
            pieces = self._open(folder, shape, np.dtype(dtype))
            known = {name for piece in pieces for name in piece.ids}
            first: dict[str, int] = {}
            for place, name in enumerate(ids):
                first.setdefault(name, place)
            missing = [name for name in first if name not in known]
            if missing:
                self._make_room(len(missing) * int(np.prod(shape)) * np.dtype(dtype).itemsize, folder)
                places = np.array([first[name] for name in missing], np.int64)
                _write(folder, missing, shape, np.dtype(dtype), compute(places))
                pieces = self._open(folder, shape, np.dtype(dtype))
        if not ids:
            return Kept(Rows((np.empty((0, *shape), dtype),), np.empty((0, 2), np.int64)), [], 0)
        where = {name: (number, row) for number, piece in enumerate(pieces) for row, name in enumerate(piece.ids)}
        if not set(ids) <= where.keys():
            raise CacheUnusable(f"what was written to {folder} can't be read back")
        found = np.array([where[name] for name in ids], np.int64)
        facts = [pieces[number].facts[row] for number, row in found]
        return Kept(Rows(tuple(piece.array for piece in pieces), found), facts, len(missing))

    def entries(self) -> list[Entry]:
        """What is there, least recently used first."""
        found = [_entry(recipe) for kind in KINDS for recipe in self.folder.glob(f"{kind}/*/recipe.json")]
        return sorted((entry for entry in found if entry), key=lambda entry: (entry.used, entry.folder))

    def remove(self, entry: Entry) -> bool:
        """Drop an entry, unless another process is at work on it; whoever has it open keeps what it opened."""
        lock = _lock(entry.folder)
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(entry.folder, ignore_errors=True)
        except Timeout:
            return False
        return not entry.folder.exists()

    def _locked(self, folder: Path) -> Any:
        lock = _lock(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return lock.acquire(timeout=0)
        except Timeout:
            self.tell("another process is computing what this run needs: waiting for it")
            return lock.acquire()
        except OSError as error:
            raise CacheUnusable(f"can't write to {self.folder} ({error.strerror})") from None

    def _open(self, folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list["_Piece"]:
        """Every piece that is whole; what is not is deleted."""
        pieces, used = [], set()
        for index in sorted(folder.glob("*.json")):
            if index.name == "recipe.json":
                continue
            if (piece := _read(index, shape, dtype)) is None:
                self.tell(f"a damaged file in the cache is dropped and computed again: {index}")
                index.unlink(missing_ok=True)
            else:
                pieces.append(piece)
                used.add(piece.path)
        for left in [*folder.glob("*.npy"), *folder.glob("*.part")]:  # of a process that was killed, or of a damaged index
            if left not in used:
                left.unlink(missing_ok=True)
        return pieces

    def _make_room(self, needed: int, own: Path) -> None:
        """Drop the least recently used entries until `needed` bytes fit the limit and the disk."""
        if needed > self.limit:
            raise CacheUnusable(f"{in_bytes(needed)} do not fit the cache's limit: raise training.cache_limit_gb")
        with FileLock(self.folder / "room.lock"):
            entries = self.entries()
            total = sum(entry.bytes for entry in entries)
            for entry in entries:
                if total + needed <= self.limit and self._free() >= needed:
                    return
                if entry.folder != own and self.remove(entry):
                    total -= entry.bytes
            if total + needed > self.limit:
                raise CacheUnusable(f"{in_bytes(needed)} do not fit the cache's limit: raise training.cache_limit_gb")
            if self._free() < needed:
                raise CacheUnusable(f"{in_bytes(needed)} are needed and the disk has {in_bytes(self._free())} to spare")

    def _free(self) -> int:
        return max(0, shutil.disk_usage(self.folder).free - SPARE_BYTES)


def default_folder() -> Path:
    """Where this user's cache is: the folder in `CXR_CACHE`, or the system's place for caches."""
    chosen = os.environ.get("CXR_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("cxr")


@dataclass(frozen=True)
class _Piece:
    """An array with the ids and facts of its rows."""

    path: Path
    array: NDArray[Any]
    ids: list[str]
    facts: list[Any]


def _write(
    folder: Path, ids: list[str], shape: tuple[int, ...], dtype: np.dtype[Any], values: Iterator[tuple[NDArray[Any], Sequence[Any]]]
) -> None:
    """Write a piece: each file under the hash of its content, the index last, so that an index speaks of whole arrays only."""
    facts: list[Any] = []
    unfinished = folder / "array.part"
    try:
        with unfinished.open("wb") as file:
            hashing = _Hashing(file)
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (len(ids), *shape)}
            np.lib.format.write_array_header_2_0(hashing, header)
            for chunk, said in values:
                hashing.write(np.ascontiguousarray(chunk, dtype).data)
                facts.extend(said)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(folder / f"{hashing.digest.hexdigest()}.npy")
        index = _json({"array": hashing.digest.hexdigest(), "ids": ids, "facts": facts})
        (folder / "index.part").write_bytes(index)
        (folder / "index.part").replace(folder / f"{_hash(index)}.json")
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise CacheUnusable(f"can't write to {folder} ({error.strerror})") from None


def _read(index: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Piece | None:
    """A piece, if index and array are what their names say."""
    try:
        content = index.read_bytes()
        if _hash(content) != index.stem:
            return None
        said = json.loads(content)
        path = index.with_name(f"{said['array']}.npy")
        stat = path.stat()
        if (mark := (str(path), stat.st_size, stat.st_mtime_ns)) not in _checked:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != said["array"]:
                    return None
            _checked.add(mark)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    fits = array.shape == (len(said["ids"]), *shape) and array.dtype == dtype and len(said["facts"]) == len(array)
    return _Piece(path, array, said["ids"], said["facts"]) if fits else None


def _entry(recipe: Path) -> Entry | None:
    try:
        files = [path for path in recipe.parent.iterdir() if path.suffix in (".npy", ".part")]
        indexes = [path for path in recipe.parent.glob("*.json") if path != recipe]
        rows = sum(len(json.loads(path.read_bytes())["ids"]) for path in indexes)
        size = sum(path.stat().st_size for path in [*files, *indexes])
        return Entry(recipe.parent, recipe.parent.parent.name, json.loads(recipe.read_bytes()), rows, size, recipe.stat().st_mtime)
    except (OSError, ValueError, KeyError):  # another process is dropping it, or it is damaged: it goes first
        return Entry(recipe.parent, recipe.parent.parent.name, {}, 0, 0, 0.0) if recipe.parent.is_dir() else None


class _Hashing:
    """A file to write to, hashed on the way."""

    def __init__(self, file: Any) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return int(self.file.write(data))


def _lock(folder: Path) -> FileLock:
    return FileLock(folder.with_suffix(".lock"))


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
