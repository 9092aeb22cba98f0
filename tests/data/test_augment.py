"""Augmentation: views within the limits of the config, independent of the batch."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config.schema import AugmentConfig
from cxr.data.augment import AUGMENTATIONS, Augmentation, Floats, PixelTransform, changes_nothing, draw_views
from tests.conftest import Compose

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(50)]


def test_a_view_depends_on_seed_number_and_pixels_only(compose_config: Compose) -> None:
    augment = compose_config("augment=strong").augment
    together = draw_views(augment, 96, 3, 1, HASHES)
    alone = draw_views(augment, 96, 3, 1, HASHES[17:18])
    np.testing.assert_array_equal(together.transforms[17], alone.transforms[0])
    for seed, view in ((3, 2), (4, 1)):
        assert not np.allclose(together.transforms, draw_views(augment, 96, seed, view, HASHES).transforms)


def test_only_none_changes_nothing(compose_config: Compose) -> None:
    assert changes_nothing(compose_config("augment=none").augment)
    for name in ("light", "medium", "strong"):
        assert not changes_nothing(compose_config(f"augment={name}").augment)


@given(degrees=st.floats(0, 45), zoom=st.floats(0, 0.5))
def test_rotation_and_zoom_keep_to_their_limits_and_never_mirror(degrees: float, zoom: float) -> None:
    a0, a1, _, b0, b1, *_ = draw_views(AugmentConfig(rotation_degrees=degrees, zoom=zoom), 96, 0, 0, HASHES).transforms.T
    assert (np.abs(np.rad2deg(np.arctan2(b0, a0))) <= degrees + 1e-3).all()
    scale = np.sqrt(a0 * b1 - a1 * b0)  # a mirrored image would have a negative determinant, and no root
    assert ((scale >= 1 - zoom - 1e-4) & (scale <= 1 + zoom + 1e-4)).all()


@pytest.mark.parametrize("name", ["none", "light", "medium", "strong"])
def test_the_centre_moves_by_the_translation_at_most(name: str, compose_config: Compose) -> None:
    augment, centre = compose_config(f"augment={name}").augment, (96 - 1) / 2
    a0, a1, a2, b0, b1, b2, *_ = draw_views(augment, 96, 0, 0, HASHES).transforms.T
    moved = np.stack([a0 * centre + a1 * centre + a2, b0 * centre + b1 * centre + b2]) - centre
    assert np.abs(moved).max() <= augment.translation * 96 + 1e-3


def darker(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(offset=-255 * share * np.abs(draws[:, 0]))


def closer(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(gain=1 + share * draws[:, 0])


def test_augmentations_of_other_packages_change_no_number_of_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether one more is installed, and in which order they are imported, changes no view."""
    config = AugmentConfig(rotation_degrees=10, noise=5, background=0.5, more={"darker": 0.2})
    built_in = list(AUGMENTATIONS)
    dark, close = Augmentation("darker", 1, darker), Augmentation("closer", 3, closer)
    views = []
    for plugins in ([], [dark], [close, dark], [dark, close]):
        monkeypatch.setattr("cxr.data.augment.AUGMENTATIONS", [*built_in, *plugins])
        views.append(draw_views(config, 96, 3, 1, HASHES))
    none, *others = views
    for view in others:
        np.testing.assert_array_equal(view.transforms, none.transforms)
        np.testing.assert_array_equal(np.asarray(view.onto), np.asarray(none.onto))
        np.testing.assert_array_equal(view.offset, others[0].offset)
    assert len(np.unique(others[0].offset)) == len(HASHES)
    monkeypatch.setattr("cxr.data.augment.AUGMENTATIONS", [*built_in[:3], Augmentation("new", 2, darker), *built_in[3:], dark])
    np.testing.assert_array_equal(draw_views(config, 96, 3, 1, HASHES).transforms, none.transforms)
