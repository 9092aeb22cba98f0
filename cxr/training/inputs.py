"""Inputs of the trainable part: whole images, or cached activations of the frozen part."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows, RowsLost
from cxr.cache.shards import CacheUnusable, Values
from cxr.cache.store import Cache
from cxr.data.views import Viewer
from cxr.training.engine import EngineUnusable
from cxr.training.frozen import FrozenPart
from cxr.training.history import FrozenWork

# Inputs that are handed to TensorFlow at once; while it works on them the next are gathered.
_BYTES_AT_ONCE = 64 * 2**20
# Where activations can't be kept on disk they are held in memory up to this, and beyond it computed whenever they are needed.
_IN_MEMORY_BYTES = 512 * 2**20

Update = Callable[[int, int], None]
Made = TypeVar("Made")


class Inputs(Protocol):
    """Arrays for a network, or its trainable part, by row of the data and view."""

    shape: tuple[int, ...]  # of one row
    dtype: str

    def prepare(self, rows: NDArray[np.int64], view: int | None) -> None:
        """Prepare rows that will be taken, all at once.

        Args:
            rows: (n,).
        """

    def take(self, rows: NDArray[np.int64], view: int | None) -> NDArray[Any]:
        """Inputs, (n, *shape).

        Args:
            rows: (n,).
        """


def chunks_of(
    inputs: Inputs, rows: NDArray[np.int64], view: int | None, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Rows (k,) and their inputs (k, *shape), whole batches at a time, read ahead by one chunk.

    Args:
        rows: (n,).
    """
    inputs.prepare(rows, view)
    row_bytes = int(np.prod(inputs.shape)) * np.dtype(inputs.dtype).itemsize
    count = max(1, _BYTES_AT_ONCE // (row_bytes * batch_size)) * batch_size
    parts = [rows[start : start + count] for start in range(0, len(rows), count)]
    with ThreadPoolExecutor(1) as gathering:
        coming = gathering.submit(inputs.take, parts[0], view)
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            values = coming.result()
            if following is not None:
                coming = gathering.submit(inputs.take, following, view)
            yield part, values


class Images:
    """Whole images, for a network without partition: grey levels (size, size, 1) float32."""

    dtype = "float32"

    def __init__(self, viewer: Viewer) -> None:
        self.viewer, self.shape = viewer, tuple(viewer.images.shape[1:])

    def prepare(self, rows: NDArray[np.int64], view: int | None) -> None:
        """Nothing: images are augmented when they are taken.

        Args:
            rows: (n,).
        """

    def take(self, rows: NDArray[np.int64], view: int | None) -> NDArray[Any]:
        """Images under the view, (n, size, size, 1).

        Args:
            rows: (n,).
        """
        return self.viewer.see(rows, view)


@dataclass(frozen=True)
class _Ready:
    """Activations of one view, and the place of each row of the data among them (-1: not there)."""

    rows: Rows
    places: NDArray[np.int64]


class Activations:
    """Activations of the frozen part, computed once for each image and view and kept in `cache`.

    `computing` is entered while some are computed; it yields a function to report with.
    """

    def __init__(
        self, frozen: FrozenPart, cache: Cache, computing: Callable[[], AbstractContextManager[Update]], work: FrozenWork
    ) -> None:
        self.frozen, self.cache, self.computing, self.work = frozen, cache, computing, work
        self.shape, self.dtype = frozen.shape, frozen.dtype
        self._ready: dict[int | None, _Ready] = {}
        self._has_warned = False  # that activations are not kept

    def prepare(self, rows: NDArray[np.int64], view: int | None) -> None:
        """Find or compute the activations of all rows; of views of training images only the latest stays in memory.

        Args:
            rows: (n,).
        """
        ready = self._ready.get(view)
        if ready is not None and (ready.places[rows] >= 0).all():
            return
        if view is not None:
            self._ready = {key: value for key, value in self._ready.items() if key is None}
        wanted = rows if ready is None else np.union1d(rows, np.flatnonzero(ready.places >= 0))
        places = np.full(len(self.frozen.viewer.hashes), -1, np.int64)
        places[wanted] = np.arange(len(wanted))
        computed = self.work.computed
        self._ready.pop(view, None)  # it lacks the new rows
        if (activations := self._find(wanted, view)) is not None:
            at_hand = 0 if ready is None else len(ready.rows)
            self.work.found += max(0, len(wanted) - at_hand - (self.work.computed - computed))
            self._ready[view] = _Ready(activations, places)

    def take(self, rows: NDArray[np.int64], view: int | None) -> NDArray[Any]:
        """Prepared activations, (n, *shape), or activations computed now if they could not be kept.

        Args:
            rows: (n,).
        """
        if view in self._ready:
            ready = self._ready[view]
            try:
                return ready.rows[ready.places[rows]]
            except RowsLost as lost:
                self.cache.tell(f"{lost}: its activations are computed again")
            del self._ready[view]
            self.prepare(np.flatnonzero(ready.places >= 0), view)
            return self.take(rows, view)
        return self._compute_now(rows, view)

    def _find(self, rows: NDArray[np.int64], view: int | None) -> Rows | None:
        hashes = [self.frozen.viewer.hashes[row] for row in rows]

        def kept() -> Rows:
            key, like = self.frozen.cache_key(view), (self.shape, self.dtype)
            return self.cache.rows("activations", key, hashes, *like, lambda places: self._compute(rows[places], view))[0]

        try:
            return self._by_engine(kept)
        except CacheUnusable as why:
            if not self._has_warned:
                self.cache.tell(f"activations of the frozen part are not kept: {why}")
            self._has_warned = True
        if len(rows) * int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize > _IN_MEMORY_BYTES:
            return None
        return Rows.of(self._compute_now(rows, view))

    def _compute_now(self, rows: NDArray[np.int64], view: int | None) -> NDArray[Any]:
        return self._by_engine(lambda: np.concatenate([activations for activations, _ in self._compute(rows, view)]))

    def _by_engine(self, work: Callable[[], Made]) -> Made:
        """The result of `work`; what the engine can't compute TensorFlow does from then on."""
        try:
            return work()
        except EngineUnusable as why:
            self.cache.tell(f"{why}: TensorFlow computes the frozen part")
            self.frozen.use_tensorflow()
            return work()

    def _compute(self, rows: NDArray[np.int64], view: int | None) -> Values:
        done = 0
        with self.computing() as update:
            for activations in self.frozen.compute(rows, view):
                done += len(activations)
                self.work.computed += len(activations)
                update(done, len(rows))
                yield activations, [None] * len(activations)
