"""Traces of JPEG compression in decoded grey levels: edges between blocks of 8 x 8 pixels."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.data.images.decode import read_grey
from cxr.data.images.limits import UnreadableImage
from cxr.errors import UserError

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


def blocks_of(path: Path) -> tuple[float, float]:
    """Traces of JPEG in a file as it is, before it was resized.

    Raises:
        UserError: The file can't be read any more.
    """
    try:
        written = path.stat()
        return _blocks_in(path, written.st_mtime_ns, written.st_size)
    except (OSError, UnreadableImage) as error:
        raise UserError(f"{path} can't be read any more: {error}") from None


@lru_cache(maxsize=20_000)
def _blocks_in(path: Path, written: int, size: int) -> tuple[float, float]:
    return blockiness(np.asarray(read_grey(path)))


def _by_phase(steps: NDArray[np.float32]) -> float:
    whole = len(steps) // _BLOCK * _BLOCK
    if whole < 2 * _BLOCK:
        return 0.0
    by_phase = np.sort(steps[:whole].reshape(-1, _BLOCK).mean(axis=0))
    return float(np.log((by_phase[-1] + 0.05) / (by_phase[:-1].mean() + 0.05)))
