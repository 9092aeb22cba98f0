"""What can be a pair of lungs, and what can't."""

import numpy as np
import pytest

from cxr.anatomy.lung_shape import two_largest, why_no_lungs


def drawn(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of 100 x 100 pixels, True in boxes of top, bottom, left, right."""
    mask = np.zeros((100, 100), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


RIGHT, LEFT, SPOT = (20, 80, 15, 42), (20, 80, 58, 85), (2, 6, 90, 95)


def test_spots_beside_the_lungs_go() -> None:
    assert np.array_equal(two_largest(drawn(RIGHT, LEFT, SPOT)), drawn(RIGHT, LEFT))
    assert np.array_equal(two_largest(drawn(LEFT)), drawn(LEFT))
    assert not two_largest(drawn()).any()


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        ([RIGHT, LEFT], ""),
        ([(20, 80, 15, 85)], ""),  # lungs that touch
        ([RIGHT, (30, 55, 60, 84)], ""),  # one white lung, in part
        ([], "hardly any lung found"),
        ([(5, 95, 5, 95)], "nearly all of it found to be lung"),
        ([(20, 80, 15, 40), (70, 75, 80, 85)], "one lung found"),
        ([(40, 60, 10, 45), (40, 60, 55, 90)], "too small for a pair of lungs"),  # too flat
        ([(10, 90, 40, 55)], "too small for a pair of lungs"),  # too narrow
    ],
)
def test_reason(boxes: list[tuple[int, int, int, int]], reason: str) -> None:
    assert why_no_lungs(drawn(*boxes)) == reason
    assert why_no_lungs(drawn(*boxes), 0.8) == (reason or "lungs are uncertain")
