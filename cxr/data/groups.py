"""Which images belong together: copies, near copies and those of one patient, so that no split may part them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cxr.data.perceptual import Look

_BITS = 64
# Correlation of outlines. It was 0.985 or more for planted copies of real films, moved by a pixel or encoded anew; the only two
# films of different patients among 2,000 that share a hash have 0.83.
_ALIKE = 0.97


def copies(sha256: Sequence[str], looks: Sequence[Look]) -> NDArray[np.int64]:
    """Number of the set of copies that each image is in: equal pixels, or near copies."""
    _, first, image = np.unique(np.array(sha256), return_index=True, return_inverse=True)
    near = near_copies([looks[place] for place in first])
    return np.asarray(_components(near, len(first))[image])


def near_copies(looks: Sequence[Look]) -> NDArray[np.int64]:
    """Pairs of images that look the same, (pairs, 2): one's hash and the other's differ in one bit at most, and outlines agree.

    A looser threshold is not offered: at 5 bits, films of different patients of the radiography database are joined. Hashes
    are sorted and looked up, so the cost does not grow with the number of pairs.
    """
    if not looks:
        return np.empty((0, 2), np.int64)
    hashes = np.stack([look.hashes for look in looks])
    outlines = np.stack([look.outline for look in looks]).astype(np.float64)
    outlines /= np.maximum(1e-9, np.linalg.norm(outlines, axis=1, keepdims=True))
    values, value_of = np.unique(hashes.ravel(), return_inverse=True)
    order = np.argsort(value_of, kind="stable")
    ends = np.searchsorted(value_of[order], np.arange(1, len(values)))
    owners = np.split(order // hashes.shape[1], ends)  # the images of each value, ascending
    shared = [each for each in owners if each[0] != each[-1]]
    shared += [np.concatenate([owners[one], owners[other]]) for one, other in _one_bit_apart(values)]
    return np.concatenate([np.empty((0, 2), np.int64), *(_alike(np.unique(each), outlines) for each in shared)])


def _one_bit_apart(values: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Places of values (ascending) that differ in one bit, each pair once."""
    for bit in range(_BITS):
        other = values ^ np.uint64(1 << bit)
        place = np.minimum(np.searchsorted(values, other), len(values) - 1)
        for one in np.flatnonzero((values[place] == other) & (values < other)):
            yield int(one), int(place[one])


def _alike(images: NDArray[np.int64], outlines: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs among some images whose outlines, (n, 64) of length 1, correlate."""
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(images), 1000):  # a folder full of black images is no reason to run out of memory
        one, other = np.nonzero(outlines[images[start : start + 1000]] @ outlines[images].T >= _ALIKE)
        later = one + start < other
        found.append(np.stack([images[one[later] + start], images[other[later]]], axis=1))
    return np.concatenate(found)


def joined(same_image: NDArray[np.int64], patients: pd.Series, sha256: pd.Series) -> pd.Series:
    """The group of each image: the smallest pixel hash among all that it shares a set of copies or a patient with."""
    pairs = np.concatenate([same(map(str, same_image)), same(patients)])
    return sha256.groupby(_components(pairs, len(sha256))).transform("min")


def same(names: Iterable[str]) -> NDArray[np.int64]:
    """Pairs of images with the same name of something, for example of a patient; an empty name is no name."""
    first: dict[str, int] = {}
    pairs = [(first[name], place) for place, name in enumerate(names) if name and first.setdefault(name, place) != place]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _components(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number of the connected component of each image."""
    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
