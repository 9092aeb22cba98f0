"""Feature maps of images, kept while the weights below them stay: runs with one frozen backbone need the same ones."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 96 * 2**20

Compute = Callable[[NDArray[np.float32]], NDArray[Any]]  # grey levels (n, size, size, 1) to maps (n, rows, columns, channels)


class FeatureMaps:
    """The latest maps, by weights and image, up to 96 MB of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bytes], NDArray[Any]] = OrderedDict()
        self._bytes = 0

    def of(self, grey: NDArray[np.float32], weights: str, compute: Compute) -> NDArray[Any]:
        """Maps, (n, rows, columns, channels), by the network whose weights have that hash; missing ones are computed at once.

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        keys = [(weights, hashlib.sha256(np.ascontiguousarray(image).data).digest()) for image in grey]
        missing = [row for row, key in enumerate(keys) if key not in self._known]
        computed = dict(zip(missing, compute(grey[missing]), strict=True)) if missing else {}
        maps = [computed[row] if row in computed else self._known[key] for row, key in enumerate(keys)]
        for key, value in zip(keys, maps, strict=True):
            if key not in self._known:
                self._known[key] = np.array(value)  # a view would keep its whole batch
                self._bytes += value.nbytes
            self._known.move_to_end(key)
            while self._bytes > _MOST_BYTES:
                self._bytes -= self._known.popitem(last=False)[1].nbytes
        return np.stack(maps) if maps else compute(grey)
