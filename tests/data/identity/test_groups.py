"""Groups: copies, near copies and patients are joined, and nothing else is."""

from itertools import combinations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.identity.groups import copies, joined, near_copies
from cxr.data.images.perceptual import PerceptualHashes

OUTLINES = [np.eye(64)[0] * 127, np.eye(64)[1] * 127, np.eye(64)[0] * 127 + np.eye(64)[1] * 5]  # the first and last look alike
Look = tuple[list[int], int]  # five hashes, and which outline


def look(hashes: list[int], outline: int = 0) -> Look:
    return (hashes * 5)[:5], outline


def perceptual_of(looks: list[Look]) -> PerceptualHashes:
    hashes = np.array([hashes for hashes, _ in looks], np.uint64).reshape(-1, 5)
    return PerceptualHashes(hashes, np.array([[OUTLINES[outline]] * 5 for _, outline in looks]).reshape(-1, 5, 64).astype(np.int8))


# Few bits vary, so that some hashes are near each other; the highest is among them.
HASHES = st.integers(0, 255).map(lambda value: (value & 0x7) | (value >> 3) << 60 & (2**64 - 1))
LOOKS = st.lists(st.builds(look, st.lists(HASHES, min_size=1, max_size=5), st.integers(0, 2)), max_size=25)


def sets_of(components: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(components == number).tolist()) for number in set(components.tolist())}


def look_alike(one: Look, other: Look) -> bool:
    near = min((a ^ b).bit_count() for a in one[0] for b in other[0])
    a, b = OUTLINES[one[1]], OUTLINES[other[1]]
    return near <= 1 and a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.9982


@given(LOOKS)
def test_near_copies_are_those_of_all_pairs(perceptual: list[Look]) -> None:
    expected = {pair for pair in combinations(range(len(perceptual)), 2) if look_alike(perceptual[pair[0]], perceptual[pair[1]])}
    pairs = near_copies(perceptual_of(perceptual)).tolist()
    assert {(min(pair), max(pair)) for pair in pairs} == expected


def test_sets_of_copies_reach_through_others_and_equal_pixels() -> None:
    far = 0xF << 60
    perceptual = [look([0]), look([1]), look([3]), look([far]), look([far], outline=1), look([far], outline=1)]
    assert sets_of(copies(list("abcdee"), perceptual_of(perceptual))) == {frozenset({0, 1, 2}), frozenset({3}), frozenset({4, 5})}
    assert len(copies([], perceptual_of([]))) == 0


def test_group_has_the_smallest_hash_and_joins_through_others() -> None:
    sha256 = pd.Series(["d", "c", "b", "b", "a"])
    patients = pd.Series(["p", "", "p", "q", "q"])
    same_image = np.array([0, 0, 1, 1, 2])
    assert list(joined(sha256, same_image, patients)) == ["a"] * 5
    assert list(joined(sha256, same_image, pd.Series([""] * 5))) == ["c", "c", "b", "b", "a"]
    assert list(joined(sha256, same_image, pd.Series(["", "x", "x", "", ""]), pd.Series(["", "", "", "y", "y"]))) == ["a"] * 5


def test_many_black_images_need_little_memory() -> None:
    """Nothing correlates with an outline of nothing, and two such images are copies only if their pixels are equal."""
    black = PerceptualHashes(np.zeros((2500, 5), np.uint64), np.zeros((2500, 5, 64), np.int8))
    assert len(near_copies(black)) == 0
