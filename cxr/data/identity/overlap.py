"""The overlap of other data with the images of a run."""

import pandas as pd

SAME, ALIKE = "same pixels", "looks alike"


def overlap(other: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Images of `other` that a manifest `seen` has too.

    Of several such images, one of the train or val part is named. Images without a perceptual hash are compared by pixels alone.

    Args:
        other: columns path, sha256 and phash.
        seen: the same columns, and split.

    Returns:
        Columns path, seen_as, part (of the split) and how: `SAME` for equal pixels, and `ALIKE` if the perceptual hashes of the
        whole images differ in at most one bit, which is rare for different patients.
    """
    learned_first = seen.sort_values("split", key=lambda part: part == "test", kind="stable")
    by_pixels = learned_first.drop_duplicates("sha256").set_index("sha256")
    by_look = learned_first[learned_first["phash"] != ""].drop_duplicates("phash").set_index("phash")
    rows = []
    for path, sha256, phash in zip(other["path"], other["sha256"], other["phash"], strict=True):
        if sha256 in by_pixels.index:
            match, how = by_pixels.loc[sha256], SAME
        elif near := [other_hash for other_hash in _near(phash) if other_hash in by_look.index]:
            match, how = by_look.loc[min(near, key=lambda other_hash: bool(by_look.loc[other_hash, "split"] == "test"))], ALIKE
        else:
            continue
        rows.append({"path": path, "seen_as": match["path"], "part": match["split"], "how": how})
    return pd.DataFrame(rows, columns=["path", "seen_as", "part", "how"])


def _near(phash: str) -> list[str]:
    """A hash and all that differ from it in one bit; nothing for an unknown one."""
    if not phash:
        return []
    value = int(phash, 16)
    return [f"{value ^ flipped:016x}" for flipped in (0, *(1 << bit for bit in range(64)))]
