"""Images of a run in other data: by pixels, and by perceptual hashes."""

import pandas as pd
import pytest

from cxr.data.identity.overlap import ALIKE, SAME, overlap

SEEN = pd.DataFrame(
    {
        "path": ["t.png", "v.png", "old.png"],
        "sha256": ["aa", "bb", "cc"],
        "phash": ["00000000000000ff", "f0f0f0f0f0f0f0f0", ""],
        "split": ["train", "val", "test"],
    }
)


def matches(sha256: str, phash: str) -> list[tuple[str, ...]]:
    other = pd.DataFrame({"path": ["x.png"], "sha256": [sha256], "phash": [phash]})
    return list(overlap(other, SEEN).itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("sha256", "phash", "match"),
    [
        ("aa", "f0f0f0f0f0f0f0f0", ("x.png", "t.png", "train", SAME)),  # equal pixels come before looks
        ("cc", "", ("x.png", "old.png", "test", SAME)),
        ("zz", "00000000000000ff", ("x.png", "t.png", "train", ALIKE)),
        ("zz", "80000000000000ff", ("x.png", "t.png", "train", ALIKE)),  # one bit differs
        ("zz", "f0f0f0f0f0f0f0f1", ("x.png", "v.png", "val", ALIKE)),
    ],
)
def test_match_has_equal_pixels_or_differs_in_one_bit_at_most(sha256: str, phash: str, match: tuple[str, ...]) -> None:
    assert matches(sha256, phash) == [match]


def test_two_bits_and_unknown_looks_do_not_match() -> None:
    assert matches("zz", "c0000000000000ff") == []
    assert matches("zz", "") == []
    assert list(overlap(SEEN.iloc[:0], SEEN).columns) == ["path", "seen_as", "part", "how"]


@pytest.mark.parametrize("sha256", ["aa", "zz"])
def test_match_that_the_run_learned_from_comes_first(sha256: str) -> None:
    seen = pd.DataFrame({"path": ["a", "b"], "sha256": ["aa", "aa"], "phash": ["00000000000000ff"] * 2, "split": ["test", "train"]})
    other = pd.DataFrame({"path": ["x"], "sha256": [sha256], "phash": ["00000000000000fe"]})
    assert overlap(other, seen)["part"].tolist() == ["train"]
