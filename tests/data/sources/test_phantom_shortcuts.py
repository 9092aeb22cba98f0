"""Planted shortcuts: they follow the class as often as their strength says; turned round, the next class."""

import numpy as np
import pytest

from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import CLASS_SHARES, draw
from cxr.data.sources.phantom_shortcuts import plant, value_of

LABELS = tuple(CLASS_SHARES)
SHORTCUTS = ("marker", "border", "exposure", "resolution")


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("size", [32, 96, 224])
def test_three_values_give_three_images(shortcut: str, size: int) -> None:
    image = draw("Normal", 1, PhantomConfig(image_size=size))
    found = [plant(shortcut, value, image) for value in range(3)]
    assert {each.shape for each in found} == {image.shape}
    assert all((one != other).any() for place, one in enumerate(found) for other in found[place + 1 :])


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_at_full_strength_it_is_that_of_the_class_and_turned_that_of_the_next(shortcut: str) -> None:
    for number, label in enumerate(LABELS):
        plain = draw(label, 5, PhantomConfig())
        for turned in (False, True):
            planted = draw(label, 5, PhantomConfig(shortcut=shortcut, turned=turned))
            np.testing.assert_array_equal(planted, plant(shortcut, (number + turned) % 3, plain))


def test_how_often_it_follows_the_class_is_its_strength() -> None:
    rng = np.random.default_rng(0)
    follows = {strength: np.mean([value_of(1, strength, False, rng) == 1 for _ in range(4000)]) for strength in (0.0, 0.5, 1.0)}
    assert follows == pytest.approx({0.0: 1 / 3, 0.5: 2 / 3, 1.0: 1.0}, abs=0.03)
