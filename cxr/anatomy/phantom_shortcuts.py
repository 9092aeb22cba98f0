"""Shortcuts that are planted into phantoms: something beside the finding that predicts the class, to try an audit on.

Each image has a value 0, 1 or 2 of the shortcut. With probability `strength` it is the number of its class, otherwise it is drawn
blindly; so at strength 0 the shortcut is there and predicts nothing. Turned round, the value is that of the next class.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Grey = NDArray[np.uint8]  # (size, size)
_VALUES = 3
_GLYPH = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [1, 0, 1], [1, 0, 1]], bool)  # an R, as on a side marker


def value_of(label: int, strength: float, turned: bool, rng: np.random.Generator) -> int:
    """The value of the shortcut of an image of class number `label`; consumes the same number of random values every time."""
    follows, blindly = rng.uniform() < strength, int(rng.integers(_VALUES))
    return (label + turned) % _VALUES if follows else blindly


def plant(shortcut: str, value: int, image: Grey) -> Grey:
    """The image, (size, size), with the value of a shortcut: marker, border, exposure or resolution.

    Args:
        image: (size, size).
    """
    return _PLANTED[shortcut](image, value)


def _marker(image: Grey, value: int) -> Grey:
    """A bright letter in the upper right corner, in the upper left one, or none."""
    if value == 2:
        return image
    step = max(1, len(image) // 48)
    glyph = np.kron(_GLYPH, np.ones((step, step), bool))
    height, width = glyph.shape
    edge = max(1, len(image) // 16)
    left = edge if value else len(image) - edge - width
    marked = image.copy()
    marked[edge : edge + height, left : left + width][glyph] = 235
    return marked


def _border(image: Grey, value: int) -> Grey:
    """A black frame, a grey one, or none."""
    if value == 2:
        return image
    width = max(1, len(image) // 24)
    framed = np.full_like(image, 90 * value)
    framed[width:-width, width:-width] = image[width:-width, width:-width]
    return framed


def _exposure(image: Grey, value: int) -> Grey:
    """Darker, as it is, or brighter."""
    gamma = (1.25, 1.0, 0.8)[value]
    return np.asarray(np.round(255 * (image / 255.0) ** gamma), np.uint8)


def _resolution(image: Grey, value: int) -> Grey:
    """As it is, or drawn at two thirds or half of its pixels and enlarged again."""
    size = round(len(image) / (1.0, 1.5, 2.0)[value])
    if size == len(image):
        return image
    small = zoom(image.astype(np.float32), size / len(image), order=1)
    return np.asarray(np.round(np.clip(zoom(small, len(image) / len(small), order=1), 0, 255)), np.uint8)


_PLANTED: dict[str, Callable[[Grey, int], Grey]] = {
    "marker": _marker,
    "border": _border,
    "exposure": _exposure,
    "resolution": _resolution,
}
