"""Feature maps of images, kept while the weights below them stay: runs with one frozen backbone need the same ones."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

_MOST_BYTES = 96 * 2**20

Compute = Callable[[NDArray[np.float32]], NDArray[Any]]  # grey levels (n, size, size, 1) to maps (n, rows, columns, channels)


class FeatureMaps:
    """The latest maps, by weights and batch of images, up to 96 MB of them.

    A batch is kept whole: TensorFlow rounds otherwise in a batch of another size, so that maps which were kept image by image would
    depend on what the process did before.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], NDArray[Any]] = OrderedDict()

    def of(self, grey: NDArray[np.float32], weights: str, compute: Compute) -> NDArray[Any]:
        """Maps of a batch, (n, rows, columns, channels), by the network whose weights have that hash.

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        key = weights, str(joblib.hash(grey, hash_name="sha1"))
        maps = self._known.pop(key, None)
        self._known[key] = maps = compute(grey) if maps is None else maps
        while sum(kept.nbytes for kept in self._known.values()) > _MOST_BYTES:
            self._known.popitem(last=False)
        return maps
