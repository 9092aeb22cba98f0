"""How many images count as independent, where those of one group are alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def numbered(groups: Sequence[str] | NDArray[np.generic]) -> NDArray[np.int64]:
    """The number of the group of each image, (n,), from 0.

    Args:
        groups: (n,).
    """
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.int64).ravel()


def members_among(groups: Sequence[str] | None, among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The number of the group of each of the images that count, (k,); without groups each image is one.

    Args:
        among: (n,), true for the k images that count.
    """
    return np.arange(int(among.sum())) if groups is None else numbered(np.asarray(groups)[among])


def independent_images(members: NDArray[np.int64]) -> float:
    """The effective number of images if all of a group are copies; 0 for one group of several images, as of one patient.

    Args:
        members: (n,), the number of the group of each image.

    Source:
        Kish, "Survey Sampling", 1965.

    >>> independent_images(np.array([0, 1, 2])), independent_images(np.array([0, 0, 1, 1])), independent_images(np.array([0, 0]))
    (3.0, 2.0, 0.0)
    """
    sizes = np.bincount(members)
    return 0.0 if len(sizes) == 1 < len(members) else float(len(members) ** 2 / (sizes**2).sum())


def design_effect(values: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """How many times larger the variance of a mean is because images of one group are alike; at least 1.

    Counts divided by it can be used as if images were independent. Where all values are equal, or there is one group, so that it
    can't be estimated, every group counts as one image.

    Args:
        values: (n,).
        groups: (n,), numbers from 0.

    Source:
        Rao and Scott, "A simple method for the analysis of clustered binary data", 1992.
    """
    deviations, count = values - values.mean(), len(np.unique(groups))
    alone = float((deviations**2).sum())
    if alone < 1e-12 or count == 1:
        return len(values) / count
    together = float((np.bincount(groups, deviations) ** 2).sum())
    return max(1.0, together / alone)
