"""Groups: copies, near copies and images of one patient, which no split separates."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cxr.data.images.perceptual import PerceptualHashes

_BITS = 64
# Correlation of the outlines of two parts with the same hash. It was 0.9985 or more for planted copies of real images, moved by a
# pixel or encoded again or both; the only two images of different patients among 2,000 that share a hash have 0.83, two of 1,000
# phantoms, which are much more alike, 0.9980.
_ALIKE = 0.9982


def copies(sha256: Sequence[str], perceptual: PerceptualHashes) -> NDArray[np.int64]:
    """Number of the set of copies that each image is in, (n,): equal pixels, or near copies."""
    _, first, image = np.unique(np.array(sha256), return_index=True, return_inverse=True)
    return np.asarray(_components(near_copies(perceptual.only(first)), len(first))[image])


def near_copies(perceptual: PerceptualHashes) -> NDArray[np.int64]:
    """Pairs of near copies, (pairs, 2): hashes of a part of each differ in one bit at most, and its outlines agree.

    A looser threshold is not offered: at 5 bits, images of different patients of the radiography database are joined. Hashes
    are sorted and looked up, so the cost does not grow with the number of pairs.
    """
    if not len(perceptual.hashes):
        return np.empty((0, 2), np.int64)
    values, value_of, count = np.unique(perceptual.hashes.ravel(), return_inverse=True, return_counts=True)
    parts = perceptual.hashes.shape[1]
    order, end = np.argsort(value_of, kind="stable"), np.cumsum(count)  # parts of all images, those of equal hash together

    def with_hash(value: int) -> NDArray[np.int64]:
        return order[end[value] - count[value] : end[value]]

    shared = [with_hash(int(value)) for value in np.flatnonzero(order[end - count] // parts != order[end - 1] // parts)]
    shared += [np.concatenate([with_hash(one), with_hash(other)]) for one, other in _one_bit_apart(values)]
    outlines = perceptual.outlines.reshape(-1, perceptual.outlines.shape[-1])
    pairs = np.concatenate([np.empty((0, 2), np.int64), *(_alike(chosen, outlines) // parts for chosen in shared)])
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])


def _one_bit_apart(values: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Places of values (ascending) that differ in one bit, each pair once."""
    for bit in range(_BITS):
        other = values ^ np.uint64(1 << bit)
        place = np.minimum(np.searchsorted(values, other), len(values) - 1)
        for one in np.flatnonzero((values[place] == other) & (values < other)):
            yield int(one), int(place[one])


def _alike(chosen: NDArray[np.int64], outlines: NDArray[np.int8]) -> NDArray[np.int64]:
    """Pairs among some outlines, (n, 64), that correlate."""
    values = outlines[chosen].astype(np.float32)  # whole numbers, so that products below are exact on every machine
    lengths = np.sqrt((values**2).sum(axis=1, dtype=np.float64))
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(chosen), 1000):  # a folder full of black images is no reason to run out of memory
        some = slice(start, start + 1000)
        one, other = np.nonzero(values[some] @ values.T > _ALIKE * lengths[some, None] * lengths)
        later = one + start < other
        pairs.append(np.stack([chosen[one[later] + start], chosen[other[later]]], axis=1))
    return np.concatenate(pairs)


def joined(sha256: pd.Series, same_image: NDArray[np.int64], *patients: pd.Series) -> pd.Series:
    """The group of each image: the smallest pixel hash of all images that share copies or a patient with it.

    Args:
        sha256: (n,) in hex, pixels' hashes.
        same_image: (n,), numbers of sets of copies.
        patients: (n,), names; "" is no name.

    Returns:
        That hash, (n,), with the index of `sha256`.
    """
    pairs = np.concatenate([same(map(str, same_image)), *(same(names) for names in patients)])
    return sha256.groupby(_components(pairs, len(sha256))).transform("min")


def of_several(groups: pd.Series) -> pd.Series:
    """Number of images of each group that has more than one.

    Args:
        groups: the group of each image.

    Returns:
        Index: the group.
    """
    sizes = groups.value_counts()
    return sizes[sizes > 1]


def same(names: Iterable[str]) -> NDArray[np.int64]:
    """Pairs of images with the same name of something, (pairs, 2), for example of a patient; an empty name is no name."""
    first: dict[str, int] = {}
    pairs = [(first[name], place) for place, name in enumerate(names) if name and first.setdefault(name, place) != place]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _components(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number of the connected component of each image."""
    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
