"""Groups: copies, near copies and patients are joined, and nothing else is."""

from itertools import combinations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.groups import copies, joined, near_copies

# Few bits vary, so that some hashes are near each other.
PHASHES = st.lists(st.integers(0, 255).map(lambda value: f"{(value & 0xF) | (value >> 4) << 40:016x}"), min_size=1, max_size=40)


def sets_of(components: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(components == each).tolist()) for each in set(components.tolist())}


@given(PHASHES)
def test_near_copies_are_those_of_all_pairs(phashes: list[str]) -> None:
    near = [
        (one, other)
        for one, other in combinations(range(len(phashes)), 2)
        if (int(phashes[one], 16) ^ int(phashes[other], 16)).bit_count() <= 1
    ]
    unlike = pd.Series([str(row) for row in range(len(phashes))])
    of_all_pairs = pd.Series(range(len(phashes)))
    for _ in phashes:
        for one, other in near:
            of_all_pairs[[one, other]] = min(of_all_pairs[one], of_all_pairs[other])
    assert sets_of(copies(unlike, pd.Series(phashes))) == sets_of(of_all_pairs.to_numpy())
    assert set(near_copies(phashes)) <= set(near)


def test_a_group_is_named_by_its_smallest_hash_and_joins_through_others() -> None:
    sha256 = pd.Series(["d", "c", "b", "b", "a"])
    patients = pd.Series(["p", "", "p", "q", "q"])
    same_image = copies(sha256, pd.Series(["0" * 16, "0" * 15 + "1", "f" * 16, "f" * 16, "0f" * 8]))
    assert sets_of(same_image) == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}
    assert list(joined(same_image, patients, sha256)) == ["a"] * 5
    assert list(joined(same_image, pd.Series([""] * 5), sha256)) == ["c", "c", "b", "b", "a"]
