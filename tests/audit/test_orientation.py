"""Orientation: turned and inverted phantoms are recognised, and a stored model is the same."""

from pathlib import Path

import numpy as np
import pytest

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.audit.orientation import KINDS, Orientation, fit_orientation, read_orientation, write_orientation
from cxr.config.schema import PhantomConfig

IMAGES = np.stack([draw(label, number, PhantomConfig()) for number in range(40) for label in CLASS_SHARES])[..., None]
KNOWN, OTHERS = IMAGES[:90], IMAGES[90:]


@pytest.fixture(scope="module")
def fitted() -> Orientation:
    fitted = fit_orientation(KNOWN)
    assert fitted is not None
    return fitted


@pytest.mark.parametrize("kind", list(KINDS))
def test_kind_is_recognised_on_unseen_images(kind: str, fitted: Orientation) -> None:
    assert np.mean([predicted == kind for predicted in fitted.kinds(KINDS[kind](OTHERS))]) >= 0.95


@pytest.mark.parametrize("size", [32, 97, 224])
def test_images_of_any_size_have_a_kind(size: int, fitted: Orientation) -> None:
    assert len(fitted.kinds(np.zeros((2, size, size, 1), np.uint8))) == 2


def test_few_or_equal_images_fit_nothing() -> None:
    assert fit_orientation(KNOWN[:29]) is None
    assert fit_orientation(np.repeat(KNOWN[:1], 40, axis=0)) is None


def test_orientation_is_the_same_after_storing(tmp_path: Path, fitted: Orientation) -> None:
    write_orientation(fitted, tmp_path / "orientation.npz")
    assert np.array_equal(read_orientation(tmp_path / "orientation.npz").weights, fitted.weights)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (np.ones((2, 3)), r"weights of shape \(2, 3\)"),
        (np.full((len(KINDS), 257), np.nan), "not finite"),
        (np.array([print], object), "pickle"),
    ],
    ids=["shape", "nan", "code"],
)
def test_file_without_an_orientation_is_refused(weights: np.ndarray, reason: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "orientation.npz", weights=weights)
    with pytest.raises(ValueError, match=reason):
        read_orientation(tmp_path / "orientation.npz")
