"""Traces of JPEG compression in decoded grey levels: edges between blocks of 8 x 8 pixels."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 8


def blockiness(grey: NDArray[np.uint8]) -> tuple[float, float]:
    """How much larger steps between columns, and between rows, are at one place of every eight: as logarithms, 0 without blocks.

    An image that is smaller than three blocks has none.

    Args:
        grey: (height, width).

    Source:
        After the blocking measure of Wang, Bovik and Evans, "Blind measurement of blocking artifacts in images", 2000, with means
        of steps in place of their spectrum.
    """
    across, down = (np.abs(np.diff(grey.astype(np.float32), axis=axis)).mean(axis=1 - axis) for axis in (1, 0))
    return _by_phase(across), _by_phase(down)


def _by_phase(steps: NDArray[np.float32]) -> float:
    whole = len(steps) // _BLOCK * _BLOCK
    if whole < 2 * _BLOCK:
        return 0.0
    by_phase = np.sort(steps[:whole].reshape(-1, _BLOCK).mean(axis=0))
    return float(np.log((by_phase[-1] + 0.05) / (by_phase[:-1].mean() + 0.05)))
