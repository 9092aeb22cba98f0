"""Lung masks: from files, from phantoms, from an atlas; files that are no masks are left out with a reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.config.schema import DataConfig, PhantomConfig
from cxr.data.lung_atlas import fit_atlas
from cxr.data.lung_masks import lung_masks, overlap_of
from cxr.data.sources.phantom import CLASS_SHARES, draw

PHANTOMS = PhantomConfig(count=60)
ROWS = [(label, number) for label in CLASS_SHARES for number in range(12)]
PATHS = [f"{label}/images/{label}-{number + 1}.png" for label, number in ROWS]
IMAGES = np.stack([draw(label, number, PHANTOMS) for label, number in ROWS])[..., None]
OF_PHANTOMS = DataConfig(name="phantom", phantom=PHANTOMS)


def manifest(paths: list[str], **more: object) -> pd.DataFrame:
    return pd.DataFrame({"path": paths, **more})


def test_phantoms_have_the_masks_of_their_geometry() -> None:
    found = lung_masks(OF_PHANTOMS, Path("/nowhere"), manifest(PATHS), IMAGES)
    assert found.origins == {"files": 0, "phantom": 36, "atlas": 0}
    inside = np.array([image[mask].mean() for image, mask in zip(IMAGES[..., 0], found.masks, strict=True)])
    outside = np.array([image[~mask].mean() for image, mask in zip(IMAGES[..., 0], found.masks, strict=True)])
    assert (inside < outside).all()  # lungs are dark
    assert found.text == "Lung masks: 36 images from the phantoms' geometry"


def test_findings_lie_within_the_masks() -> None:
    """An image with its finding differs from the same patient without one inside the mask alone."""
    masks = lung_masks(OF_PHANTOMS, Path("/nowhere"), manifest(PATHS), IMAGES).masks
    sick = [place for place, (label, _) in enumerate(ROWS) if label != "Normal"]
    for place in sick:
        label, number = ROWS[place]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cxr.data.sources.phantom._FINDINGS", {label: lambda chest, severity, rng: 0 * chest.x})
            healthy = draw(label, number, PHANTOMS)
        differs = np.abs(IMAGES[place, ..., 0].astype(int) - healthy) > 40  # noise is drawn after the finding, so it differs too
        assert (differs & ~masks[place]).mean() < 0.01


def test_the_atlas_finds_lungs_of_phantoms() -> None:
    """The geometry knows where the heart is, and the atlas does not; so they can't be the same."""
    known = lung_masks(OF_PHANTOMS, Path("/nowhere"), manifest(PATHS), IMAGES).masks
    found = overlap_of(fit_atlas(IMAGES), known)
    assert np.median(found) > 0.8
    assert found.min() > 0.65
    assert overlap_of(known, known).min() == 1
    assert overlap_of(known, ~known).max() == 0


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((64, 64), np.uint8), "empty"),
        (np.full((64, 64), 255, np.uint8), "nearly the whole image"),
        (None, ""),
    ],
    ids=["empty", "full", "not there"],
)
def test_what_is_no_mask_is_replaced_by_the_atlas(pixels: np.ndarray | None, reason: str, tmp_path: Path) -> None:
    paths = ["A/images/one.png", "A/images/two.png"]
    (tmp_path / "A/masks").mkdir(parents=True)
    good = np.zeros((256, 256), np.uint8)
    good[64:192, 64:192] = 255
    Image.fromarray(good).save(tmp_path / "A/masks/one.png")
    if pixels is not None:
        Image.fromarray(pixels).save(tmp_path / "A/masks/two.png")
    found = lung_masks(DataConfig(), tmp_path, manifest(paths), IMAGES[:2])
    assert found.origins == {"files": 1, "phantom": 0, "atlas": 1}
    assert found.unused == ({reason: 1} if reason else {})
    assert found.masks[0].mean() == pytest.approx(0.25, abs=0.02)
    assert ("not used" in found.text) == bool(reason)


def test_a_column_names_masks_and_a_broken_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no image")
    found = lung_masks(DataConfig(), tmp_path, manifest(["a.png", "b.png"], mask=["m.png", "../m.png"]), IMAGES[:2])
    assert found.origins["atlas"] == 2
    assert found.unused["outside of data.root"] == 1
    assert sum(found.unused.values()) == 2
