"""Augmentation: views within the limits of the config, drawn from seed and pixels alone; every entry of the registry."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cxr.anatomy.phantom import draw
from cxr.config.schema import AugmentConfig, PhantomConfig
from cxr.data import augment
from cxr.data.augment import AUGMENTATIONS, Augmentation, Floats, PixelTransform, changes_nothing, check_augment, draw_views
from cxr.errors import UserError
from tests.conftest import Compose

SIZE = 96
HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(60)]
IMAGES = np.repeat(draw("Normal", 0, PhantomConfig()).astype(np.float32)[None, ..., None], len(HASHES), axis=0)
EVERY = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda augmentation: augmentation.setting)


def config_of(augmentation: Augmentation, strength: float) -> AugmentConfig:
    config = AugmentConfig()
    if hasattr(config, augmentation.setting):
        setattr(config, augmentation.setting, strength)
    else:
        config.more[augmentation.setting] = strength
    return config


@EVERY
def test_augmentation_is_off_at_0_and_on_above(augmentation: Augmentation) -> None:
    assert changes_nothing(config_of(augmentation, 0.0))
    on = config_of(augmentation, 0.2)
    check_augment(on)
    assert not changes_nothing(on)
    off, drawn = draw_views(AugmentConfig(), 32, 0, 0, HASHES), draw_views(on, 32, 0, 0, HASHES)
    same = [np.array_equal(getattr(off, part), getattr(drawn, part)) for part in ("transforms", "gain", "offset")]
    assert not all(same) or drawn.pixels or drawn.onto is not None


@EVERY
def test_augmentations_after_it_do_not_change_its_draws(augmentation: Augmentation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view with today's settings stays the same whatever is added at the end of the registry."""
    before = draw_views(config_of(augmentation, 0.2), 32, 0, 0, HASHES)
    monkeypatch.setattr(augment, "AUGMENTATIONS", AUGMENTATIONS[: AUGMENTATIONS.index(augmentation) + 1])
    alone = draw_views(config_of(augmentation, 0.2), 32, 0, 0, HASHES)
    np.testing.assert_array_equal(before.transforms, alone.transforms)
    np.testing.assert_array_equal(before.gain, alone.gain)


@pytest.mark.parametrize(
    ("more", "message"),
    [({"rotation_degrees": 1.0}, "has a setting of its own"), ({"blur": 1.0}, "augment.more.blur is not an augmentation")],
)
def test_unknown_augmentation_is_refused(more: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_augment(AugmentConfig(more=more))


def test_view_depends_on_seed_number_and_pixels_only(compose_config: Compose) -> None:
    strong = compose_config("augment=strong").augment
    together, alone = draw_views(strong, SIZE, 3, 1, HASHES), draw_views(strong, SIZE, 3, 1, HASHES[17:18])
    np.testing.assert_array_equal(together.transforms[17], alone.transforms[0])
    for seed, view in ((3, 2), (4, 1)):
        assert not np.allclose(together.transforms, draw_views(strong, SIZE, seed, view, HASHES).transforms)


@given(degrees=st.floats(0, 45), zoom=st.floats(0, 0.5))
def test_rotation_and_zoom_keep_to_their_limits_and_never_mirror(degrees: float, zoom: float) -> None:
    a0, a1, _, b0, b1, *_ = draw_views(AugmentConfig(rotation_degrees=degrees, zoom=zoom), SIZE, 0, 0, HASHES).transforms.T
    assert (np.abs(np.rad2deg(np.arctan2(b0, a0))) <= degrees + 1e-3).all()
    scale = np.sqrt(a0 * b1 - a1 * b0)  # a mirrored image would have a negative determinant, and no root
    assert ((scale >= 1 - zoom - 1e-4) & (scale <= 1 + zoom + 1e-4)).all()


@pytest.mark.parametrize("name", ["none", "light", "medium", "strong"])
def test_centre_moves_by_the_translation_at_most(name: str, compose_config: Compose) -> None:
    config, centre = compose_config(f"augment={name}").augment, (SIZE - 1) / 2
    assert changes_nothing(config) == (name == "none")
    a0, a1, a2, b0, b1, b2, *_ = draw_views(config, SIZE, 0, 0, HASHES).transforms.T
    moved = np.stack([a0 * centre + a1 * centre + a2, b0 * centre + b1 * centre + b2]) - centre
    assert np.abs(moved).max() <= config.translation * SIZE + 1e-3


def darker(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(offset=-255 * share * np.abs(draws[:, 0]))


def closer(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(gain=1 + share * draws[:, 0])


def test_augmentations_of_other_packages_change_no_number_of_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed packages, and the order of their imports, change no view."""
    config = AugmentConfig(rotation_degrees=10, noise=5, background=0.5, more={"darker": 0.2})
    built_in = list(AUGMENTATIONS)
    dark, close = Augmentation("darker", 1, darker), Augmentation("closer", 3, closer)

    def views() -> Iterator[augment.Views]:
        for plugins in ([], [dark], [close, dark], [dark, close]):
            monkeypatch.setattr(augment, "AUGMENTATIONS", [*built_in, *plugins])
            yield draw_views(config, SIZE, 3, 1, HASHES)

    none, *others = views()
    for view in others:
        np.testing.assert_array_equal(view.transforms, none.transforms)
        np.testing.assert_array_equal(np.asarray(view.onto), np.asarray(none.onto))
        np.testing.assert_array_equal(view.offset, others[0].offset)
    assert len(np.unique(others[0].offset)) == len(HASHES)
    monkeypatch.setattr(augment, "AUGMENTATIONS", [*built_in[:3], Augmentation("new", 2, darker), *built_in[3:], dark])
    np.testing.assert_array_equal(draw_views(config, SIZE, 3, 1, HASHES).transforms, none.transforms)


def changed(config: AugmentConfig, images: NDArray[np.float32] = IMAGES) -> NDArray[np.float32]:
    for change in draw_views(config, SIZE, 0, 0, HASHES).pixels:
        images = change(images)
    return images


def test_exponents_are_within_exp_of_gamma() -> None:
    grey = np.full((len(HASHES), SIZE, SIZE, 1), 127.5, np.float32)
    exponents = np.log(changed(AugmentConfig(gamma=0.5), grey)[:, 0, 0, 0] / 255) / np.log(0.5)
    assert np.abs(np.log(exponents)).max() <= 0.5 + 1e-5
    assert np.log(exponents).std() == pytest.approx(0.5 / np.sqrt(3), rel=0.25)


def test_half_of_the_images_lose_sharpness() -> None:
    sharpness = np.abs(np.diff(changed(AugmentConfig(resolution=0.8))[..., 0], axis=2)).mean(axis=(1, 2))
    whole = np.abs(np.diff(IMAGES[0, ..., 0], axis=1)).mean()
    assert 0.3 < (sharpness < 0.98 * whole).mean() < 0.7
    assert (sharpness >= 0.2 * whole).all()


def test_noise_has_at_most_the_spread_of_the_setting() -> None:
    spread = (changed(AugmentConfig(noise=10)) - IMAGES).std(axis=(1, 2, 3))
    assert 8 < spread.max() <= 10.2
    assert spread.min() < 2


def test_corners_are_covered_as_often_as_set_and_the_middle_never() -> None:
    images = changed(AugmentConfig(erase_corners=0.5))
    covered = np.abs(images - IMAGES)[:, :7, :7].max(axis=(1, 2, 3)) > 0
    assert 0.4 < covered.mean() < 0.9  # by the corner, or by one of two edges
    np.testing.assert_array_equal(images[:, 30:66, 30:66], IMAGES[:, 30:66, 30:66])
