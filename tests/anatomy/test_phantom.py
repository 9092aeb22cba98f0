"""Phantoms: the same pixels every time, with a shortcut that follows the class as often as its strength says."""

import numpy as np
import pytest

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.anatomy.phantom_shortcuts import plant, value_of
from cxr.config.schema import PhantomConfig

SHORTCUT = pytest.mark.parametrize("shortcut", ["marker", "border", "exposure", "resolution"])


def test_phantom_depends_on_seed_class_and_number_only() -> None:
    first = draw("COVID", 3, PhantomConfig())
    np.testing.assert_array_equal(first, draw("COVID", 3, PhantomConfig(count=77)))
    assert first.dtype == np.uint8
    assert first.shape == (96, 96)
    for other in (draw("COVID", 4, PhantomConfig()), draw("Normal", 3, PhantomConfig()), draw("COVID", 3, PhantomConfig(seed=1))):
        assert np.abs(first.astype(int) - other).mean() > 1


@SHORTCUT
@pytest.mark.parametrize("size", [32, 96, 224])
def test_three_values_give_three_images(shortcut: str, size: int) -> None:
    image = draw("Normal", 1, PhantomConfig(image_size=size))
    planted = [plant(shortcut, value, image) for value in range(3)]
    assert {grey.shape for grey in planted} == {image.shape}
    assert len({grey.tobytes() for grey in planted}) == 3


@SHORTCUT
def test_shortcut_of_full_strength_is_that_of_the_class_and_turned_that_of_the_next(shortcut: str) -> None:
    for number, label in enumerate(CLASS_SHARES):
        plain = draw(label, 5, PhantomConfig())
        for turned in (False, True):
            planted = draw(label, 5, PhantomConfig(shortcut=shortcut, turned=turned))
            np.testing.assert_array_equal(planted, plant(shortcut, (number + turned) % 3, plain))


def test_share_of_images_whose_shortcut_follows_the_class_is_its_strength() -> None:
    rng = np.random.default_rng(0)
    follows = {strength: np.mean([value_of(1, strength, False, rng) == 1 for _ in range(4000)]) for strength in (0.0, 0.5, 1.0)}
    assert follows == pytest.approx({0.0: 1 / 3, 0.5: 2 / 3, 1.0: 1.0}, abs=0.03)
