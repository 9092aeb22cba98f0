"""Which images belong together: copies, near copies and those of one patient, so that no split may part them."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_BITS = 64


def near_copies(phashes: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of images whose perceptual hashes (64 bits in hex) differ in one bit or none; enough of them to join all.

    Each hash is looked up with each of its bits turned, so the cost grows with the number of images and not of pairs. A
    looser threshold is not offered: at 5 bits, films of different patients of the radiography database are joined.

    >>> list(near_copies(["00000000000000ff", "00000000000000fe", "00000000000000ff", "0f000000000000ff"]))
    [(0, 2), (0, 1)]
    """
    first: dict[int, int] = {}
    for place, phash in enumerate(phashes):
        value = int(phash, 16)
        if value in first:
            yield first[value], place
        else:
            first[value] = place
    for value, place in first.items():
        for bit in range(_BITS):
            other = first.get(value ^ (1 << bit))
            if other is not None and place < other:
                yield place, other


def same(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Pairs of images with the same name of something, for example of a patient; an empty name is no name."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if name and first.setdefault(name, place) != place:
            yield first[name], place


def copies(sha256: pd.Series, phash: pd.Series) -> NDArray[np.int64]:
    """Number of the set of copies that each image is in: equal pixels, or perceptual hashes at most one bit apart."""
    return _components([*same(sha256), *near_copies(list(phash))], len(sha256))


def joined(same_image: NDArray[np.int64], patients: pd.Series, sha256: pd.Series) -> pd.Series:
    """The group of each image: the smallest pixel hash among all that it shares a set of copies or a patient with."""
    pairs = [*same(map(str, same_image)), *same(patients)]
    return sha256.groupby(_components(pairs, len(sha256))).transform("min")


def _components(pairs: list[tuple[int, int]], count: int) -> NDArray[np.int64]:
    """Number of the connected component of each image."""
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
