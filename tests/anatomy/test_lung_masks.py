"""Lung masks: from files, phantoms, the network, or an atlas; files that are no masks are left out with a reason."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.anatomy.lung_atlas import fit_atlas
from cxr.anatomy.lung_masks import LungMasks, lung_masks, masks_hash
from cxr.anatomy.lung_network import lungs_in
from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.config.schema import DataConfig, PhantomConfig
from cxr.data.images.decode import read_grey
from tests.conftest import SHARED

PHANTOMS = PhantomConfig(count=60)
ROWS = [(label, number) for label in CLASS_SHARES for number in range(12)]
PATHS = [f"{label}/images/{label}-{number + 1}.png" for label, number in ROWS]
IMAGES = np.stack([draw(label, number, PHANTOMS) for label, number in ROWS])[..., None]
NOISE = np.random.default_rng(0).integers(0, 256, (1, *IMAGES.shape[1:])).astype(np.uint8)


def of_phantoms() -> LungMasks:
    data = DataConfig(name="phantom", phantom=PHANTOMS)
    return lung_masks(data, Path("/nowhere"), pd.DataFrame({"path": PATHS}), IMAGES, read_grey)


def test_phantoms_have_the_masks_of_their_geometry() -> None:
    masks = of_phantoms()
    assert masks.origins == {"files": 0, "phantom": 36, "network": 0, "atlas": 0}
    assert all(image[mask].mean() < image[~mask].mean() for image, mask in zip(IMAGES[..., 0], masks.masks, strict=True))
    assert masks.text == "Lung masks: 36 images from the phantoms' geometry"


def test_findings_lie_within_the_masks() -> None:
    """An image with its finding differs from the same patient without one inside the mask alone."""
    masks = of_phantoms().masks
    for place, (label, number) in enumerate(ROWS):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cxr.anatomy.phantom._FINDINGS", {label: lambda chest, severity, rng: 0 * chest.x})
            healthy = draw(label, number, PHANTOMS)
        differs = np.abs(IMAGES[place, ..., 0].astype(int) - healthy) > 40  # noise is drawn after the finding, so it differs too
        assert label == "Normal" or (differs & ~masks[place]).mean() < 0.01


def test_atlas_overlaps_the_lungs_of_phantoms() -> None:
    """The geometry knows where the heart is, and the atlas does not; so they can't be the same."""
    known, fitted = of_phantoms().masks, fit_atlas(IMAGES)
    dice = 2 * (known & fitted).sum(axis=(1, 2)) / (known.sum(axis=(1, 2)) + fitted.sum(axis=(1, 2)))
    assert np.median(dice) > 0.8
    assert dice.min() > 0.65


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [(np.zeros((64, 64), np.uint8), "empty"), (np.full((64, 64), 255, np.uint8), "nearly the whole image"), (None, "")],
    ids=["empty", "full", "not there"],
)
def test_unusable_mask_file_is_replaced(pixels: np.ndarray | None, reason: str, tmp_path: Path) -> None:
    (tmp_path / "A/masks").mkdir(parents=True)
    good = np.zeros((256, 256), np.uint8)
    good[64:192, 64:192] = 255
    Image.fromarray(good).save(tmp_path / "A/masks/one.png")
    if pixels is not None:
        Image.fromarray(pixels).save(tmp_path / "A/masks/two.png")
    manifest = pd.DataFrame({"path": ["A/images/one.png", "A/images/two.png"]})
    masks = lung_masks(DataConfig(), tmp_path, manifest, np.concatenate([IMAGES[:1], NOISE]), read_grey)
    assert masks.origins == {"files": 1, "phantom": 0, "network": 0, "atlas": 1}
    assert np.array_equal(masks.masks[1:], fit_atlas(NOISE))
    assert masks.unused == ({reason: 1} if reason else {})
    assert masks.masks[0].mean() == pytest.approx(0.25, abs=0.02)
    assert ("not used" in masks.text) == bool(reason)


def test_broken_mask_of_a_column_is_unused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no image")
    manifest = pd.DataFrame({"path": ["a.png", "b.png"], "mask": ["m.png", "../m.png"]})
    masks = lung_masks(DataConfig(), tmp_path, manifest, np.concatenate([NOISE, NOISE]), read_grey)
    assert masks.origins["atlas"] == 2
    assert masks.unused == {"not an image that can be recognised": 1, "outside of data.root": 1}


def test_radiographs_without_files_have_the_masks_of_the_network() -> None:
    if not (root := SHARED / "data/lungs").is_dir():
        pytest.skip("the lung masks of ../shared are not here")
    manifest = pd.read_csv(root / "lungs.csv").query("part == 'val'").head(3).assign(mask="")
    images = np.stack([np.asarray(read_grey(root / path).resize((128, 128))) for path in manifest["path"]])[..., None]
    masks = lung_masks(DataConfig(), root, manifest, images, read_grey)
    assert masks.origins == {"files": 0, "phantom": 0, "network": 3, "atlas": 0}
    found, _ = lungs_in(images)
    assert np.abs(masks.masks.mean(axis=(1, 2)) - found.mean(axis=(1, 2))).max() < 0.01
    assert masks.text == "Lung masks: 3 images from the network that finds lungs"


def test_hash_counts_the_network_where_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another network makes what rests on its masks again, and nothing else."""
    manifest = pd.DataFrame({"path": ["a.png"], "mask": ["m.png"]})

    def hashes() -> tuple[str, str]:
        return masks_hash(DataConfig(), tmp_path, manifest), masks_hash(DataConfig(phantom=PHANTOMS), tmp_path, manifest)

    before = hashes()
    monkeypatch.setattr("cxr.anatomy.lung_masks.network_hash", lambda: "another")
    used, of_phantoms = hashes()
    assert used != before[0]
    assert of_phantoms == before[1]
    Image.fromarray(NOISE[0, ..., 0]).save(tmp_path / "m.png")
    masked = hashes()
    monkeypatch.undo()
    assert hashes() == masked, "each image has a file"
