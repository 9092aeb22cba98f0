"""Every augmentation of the registry: off at strength 0, drawn from its own numbers alone, and part of the cache key."""

import hashlib

import numpy as np
import pytest

from cxr.config.schema import AugmentConfig
from cxr.data.augment import AUGMENTATIONS, Augmentation, changes_nothing, check_augment, draw_views
from cxr.errors import UserError

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(30)]
STRENGTH = 0.2
EACH = pytest.mark.parametrize("each", AUGMENTATIONS, ids=lambda each: each.setting)


def config_of(each: Augmentation, strength: float) -> AugmentConfig:
    config = AugmentConfig()
    if hasattr(config, each.setting):
        setattr(config, each.setting, strength)
    else:
        config.more[each.setting] = strength
    return config


@EACH
def test_it_is_off_at_0_and_on_above(each: Augmentation) -> None:
    assert changes_nothing(config_of(each, 0.0))
    on = config_of(each, STRENGTH)
    check_augment(on)
    assert not changes_nothing(on)
    off, drawn = draw_views(AugmentConfig(), 32, 0, 0, HASHES), draw_views(on, 32, 0, 0, HASHES)
    same = [np.array_equal(getattr(off, part), getattr(drawn, part)) for part in ("transforms", "gain", "offset")]
    assert not all(same) or drawn.pixels or drawn.onto is not None


@EACH
def test_another_augmentation_does_not_change_its_draws(each: Augmentation) -> None:
    """Whatever is added to the registry at its end, a view with today's settings stays what it is."""
    place = AUGMENTATIONS.index(each)
    before = draw_views(config_of(each, STRENGTH), 32, 0, 0, HASHES)
    kept = AUGMENTATIONS[place + 1 :]
    del AUGMENTATIONS[place + 1 :]
    try:
        alone = draw_views(config_of(each, STRENGTH), 32, 0, 0, HASHES)
    finally:
        AUGMENTATIONS.extend(kept)
    np.testing.assert_array_equal(before.transforms, alone.transforms)
    np.testing.assert_array_equal(before.gain, alone.gain)


@pytest.mark.parametrize(
    ("more", "message"),
    [({"rotation_degrees": 1.0}, "has a setting of its own"), ({"blur": 1.0}, "augment.more.blur is not an augmentation")],
)
def test_what_is_no_augmentation_is_rejected(more: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_augment(AugmentConfig(more=more))
