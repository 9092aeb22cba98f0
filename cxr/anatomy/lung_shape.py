"""The shape of lungs in a mask: the two largest parts, and whether they can be a pair of lungs."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

SHARE = (0.06, 0.75)  # of the image
CERTAIN = 0.9  # least mean probability within the lungs: films have 0.93 to 0.98, noise and even images 0.77 to 0.82
_SIDES = 4.0  # how many times as large one side of the pair may be
_HEIGHT = 0.25  # least height of the pair, of the image
_WIDTH = 0.3  # least width


def two_largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The two largest connected parts of a mask, (height, width).

    Args:
        mask: (height, width), True in the lungs.
    """
    parts, count = label(mask)
    if count <= 2:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.isin(parts, np.argsort(-sizes, kind="stable")[:2])


def why_no_lungs(mask: NDArray[np.bool_], certainty: float = 1.0) -> str:
    """Why a mask is no plausible pair of lungs; "" if it is one.

    Args:
        mask: (height, width), True in the lungs.
        certainty: the mean probability within them, 0.5 to 1.
    """
    share = mask.mean()
    if share < SHARE[0]:
        return "hardly any lung found"
    if share > SHARE[1]:
        return "nearly all of it found to be lung"
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if np.ptp(rows) < _HEIGHT * mask.shape[0] or np.ptp(columns) < _WIDTH * mask.shape[1]:
        return "too small for a pair of lungs"
    middle = (columns[0] + columns[-1] + 1) // 2
    left, right = int(mask[:, :middle].sum()), int(mask[:, middle:].sum())
    if max(left, right) > _SIDES * min(left, right):
        return "one lung found"
    return "lungs are uncertain" if certainty < CERTAIN else ""
