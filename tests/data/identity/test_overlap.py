"""Images of a run are found in other data: by pixels, and by perceptual hashes."""

import pandas as pd

from cxr.data.identity.overlap import ALIKE, SAME, overlap

SEEN = pd.DataFrame(
    {
        "path": ["t.png", "v.png", "old.png"],
        "sha256": ["aa", "bb", "cc"],
        "phash": ["00000000000000ff", "f0f0f0f0f0f0f0f0", ""],
        "split": ["train", "val", "test"],
    }
)


def found(sha256: str, phash: str) -> list[tuple[str, ...]]:
    other = pd.DataFrame({"path": ["x.png"], "sha256": [sha256], "phash": [phash]})
    return list(overlap(other, SEEN).itertuples(index=False, name=None))


def test_equal_pixels_come_before_looks() -> None:
    assert found("aa", "f0f0f0f0f0f0f0f0") == [("x.png", "t.png", "train", SAME)]
    assert found("cc", "") == [("x.png", "old.png", "test", SAME)]


def test_one_bit_of_a_look_may_differ_and_two_may_not() -> None:
    assert found("zz", "00000000000000ff") == [("x.png", "t.png", "train", ALIKE)]
    assert found("zz", "80000000000000ff") == [("x.png", "t.png", "train", ALIKE)]
    assert found("zz", "f0f0f0f0f0f0f0f1") == [("x.png", "v.png", "val", ALIKE)]
    assert found("zz", "c0000000000000ff") == []


def test_a_film_of_unknown_look_is_compared_by_pixels_alone() -> None:
    assert found("zz", "") == []
    nothing = overlap(SEEN.iloc[:0], SEEN)
    assert list(nothing.columns) == ["path", "seen_as", "part", "how"]


def test_of_several_matches_one_that_the_run_learned_from_is_named() -> None:
    seen = pd.DataFrame({"path": ["a", "b"], "sha256": ["aa", "aa"], "phash": ["00000000000000ff"] * 2, "split": ["test", "train"]})
    for sha256 in ("aa", "zz"):
        other = pd.DataFrame({"path": ["x"], "sha256": [sha256], "phash": ["00000000000000fe"]})
        assert overlap(other, seen)["part"].tolist() == ["train"]
