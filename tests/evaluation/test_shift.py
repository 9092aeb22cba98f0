"""The distance of other data: none between halves of one sample, all where images were changed."""

import numpy as np
import pandas as pd
import pytest

from cxr.evaluation.shift import Sample, drawn_rows, shift_of


def sample(seed: int, count: int = 200, moved: float = 0.0, classes: tuple[str, ...] = ("COVID", "Normal")) -> Sample:
    rng = np.random.default_rng(seed)
    labels = [classes[row % len(classes)] for row in range(count)]
    images = pd.DataFrame({"id": [f"{seed}-{row}" for row in range(count)], "label": labels})
    images = images.assign(group=images["id"], contrast=rng.normal(50 + 20 * moved, 10, count), width=256 + 100 * (moved > 0))
    pooled = rng.normal(0, 1, (count, 30)) + np.array([[2.0 if label == "COVID" else 0.0] * 30 for label in labels])
    pooled[:, :5] += moved
    return Sample(images, pooled.astype(np.float16))


def test_shift_of_images_of_one_kind_is_none_and_of_others_large() -> None:
    alike, apart = shift_of(sample(1), sample(2)), shift_of(sample(1), sample(2, moved=2))
    assert (alike.told_apart.low or 1) < 0.5 < (alike.told_apart.high or 0)
    assert (apart.told_apart.low or 0) > 0.95
    assert apart.properties[0].name == "width"
    assert apart.properties[0].difference is None  # the run's own are all of one width
    assert apart.properties[1].difference == pytest.approx(4, abs=0.6)


def test_another_mix_of_classes_is_no_shift() -> None:
    shift = shift_of(sample(1), sample(2, 300, classes=("COVID", "COVID", "COVID", "Normal")))
    assert shift.images == 75 + 75 + 25  # 75 of Normal, and of COVID as many as the run has
    assert (shift.told_apart.low or 1) < 0.5


def test_few_images_have_a_reason_in_place_of_a_number() -> None:
    assert "the test needs 20" in shift_of(sample(1, 10), sample(2, 300)).told_apart.why_not
    assert "share 0 images" in shift_of(sample(1), sample(2, classes=("Other",))).told_apart.why_not
    one_patient = sample(2)
    one_patient.images["group"] = "one"
    assert "groups" in shift_of(sample(1), one_patient).told_apart.why_not


def test_drawn_rows_depend_on_names_alone() -> None:
    names = [f"{row}.png" for row in range(50)]
    back = names[::-1]
    assert {names[row] for row in drawn_rows(names, 10)} == {back[row] for row in drawn_rows(back, 10)}
