"""Grey levels of more than 8 bits: the depth of a file and of a collection, and how they become 8 bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.data.images.limits import UnreadableImage

DEPTHS = (8, 10, 12, 14, 16)
_PIXELS_ABOVE, _FILES_ABOVE = 0.01, 0.05  # share of a file's pixels, of a collection's files: markers and hot pixels decide nothing
_RANGE = 0.005, 0.995  # quantiles of a file that are black and white with `window`


def depth_of(values: NDArray[np.floating[Any]]) -> int:
    """The smallest depth in bits that holds all but 1 % of the grey levels of a file.

    Args:
        values: (height, width), from 0 to 65535.

    >>> depth_of(np.array([[65535.0, *range(1000)]]))
    10
    """
    most = np.quantile(values, 1 - _PIXELS_ABOVE, method="lower")
    return next(bits for bits in DEPTHS if most < 2**bits)


def depth_of_collection(depths: Sequence[int]) -> int:
    """The smallest depth that holds those of all but 5 % of the files, whatever their order.

    >>> depth_of_collection([12] * 30 + [10, 16])
    12
    """
    return int(np.quantile(depths, 1 - _FILES_ABOVE, method="lower"))


def to_eight_bits(values: NDArray[np.floating[Any]], grey: str) -> NDArray[np.uint8]:
    """Whole grey levels from 0 of up to 16 bits, as 0..255 by a rule of `data.grey`; what is above its depth is white.

    Args:
        values: (height, width).
        grey: `auto` stands for the depth of the file itself.

    Returns:
        (height, width).

    Raises:
        UnreadableImage: Values are below 0 or above 65535.

    >>> to_eight_bits(np.array([[0.0, 2048.0, 4095.0, 65535.0]]), "12")
    array([[  0, 128, 255, 255]], dtype=uint8)
    """
    brightest = values.max()
    if values.min() < 0 or brightest > 65535:
        raise UnreadableImage("its values are not grey levels of up to 16 bits")
    if grey == "window":
        low, high = np.quantile(values, _RANGE, method="nearest")
        return np.asarray(((values.clip(low, high) - low) * (255 / max(high - low, 1))).round(), np.uint8)
    if grey == "brightest":
        bits = next(bits for bits in DEPTHS if brightest < 2**bits)
    else:
        bits = depth_of(values) if grey == "auto" else int(grey)
    white = 2**bits - 1
    return np.asarray((values.clip(0, white) * (255 / white)).round(), np.uint8)
