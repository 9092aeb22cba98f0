"""Orientation: films that are turned or negatives are told from upright ones, in a few phantoms' time."""

from pathlib import Path

import numpy as np
import pytest

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.audit.orientation import KINDS, fit_orientation, read_orientation, write_orientation
from cxr.config.schema import PhantomConfig
from tests.audit.made import noise

IMAGES = np.stack([draw(label, number, PhantomConfig()) for number in range(40) for label in CLASS_SHARES])[..., None]
KNOWN, OTHERS = IMAGES[:90], IMAGES[90:]


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_is_told_on_images_that_it_was_not_fitted_on(kind: str) -> None:
    fitted = fit_orientation(KNOWN)
    assert fitted is not None
    assert np.mean([told == kind for told in fitted.kinds(KINDS[kind](OTHERS))]) >= 0.95


@pytest.mark.parametrize("size", [32, 97, 224])
def test_any_size_of_image_has_as_many_cells(size: int) -> None:
    fitted = fit_orientation(KNOWN)
    assert fitted is not None
    assert len(fitted.kinds(np.zeros((2, size, size, 1), np.uint8))) == 2


def test_few_or_equal_images_tell_nothing() -> None:
    assert fit_orientation(KNOWN[:29]) is None
    assert fit_orientation(np.repeat(KNOWN[:1], 40, axis=0)) is None


def test_it_is_read_as_it_was_written_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    fitted = fit_orientation(noise(40, seed=1).images)
    assert fitted is not None
    write_orientation(fitted, tmp_path / "orientation.npz")
    assert np.array_equal(read_orientation(tmp_path / "orientation.npz").weights, fitted.weights)
    np.savez(tmp_path / "other.npz", weights=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"weights of shape \(2, 3\)"):
        read_orientation(tmp_path / "other.npz")
    np.savez(tmp_path / "nan.npz", weights=np.full_like(fitted.weights, np.nan))
    with pytest.raises(ValueError, match="not finite"):
        read_orientation(tmp_path / "nan.npz")
    np.savez(tmp_path / "code.npz", weights=np.array([print], object))
    with pytest.raises(ValueError, match="pickle"):
        read_orientation(tmp_path / "code.npz")
