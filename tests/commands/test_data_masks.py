"""`cxr data masks`: mask files of each image's size, a table of all, and `data.masks`, which uses them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.anatomy.lung_masks import lung_masks, masks_hash
from cxr.commands import data_masks
from cxr.commands.data import main
from cxr.config.schema import DataConfig
from cxr.data.images.decode import read_grey
from cxr.errors import UserError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _two_lungs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the network, which phantoms were no part of: two boxes in bright images, nothing in dark ones."""

    def boxes(images: np.ndarray) -> tuple[np.ndarray, list[str]]:
        found = np.zeros((len(images), 192, 192), bool)
        found[:, 40:160, 30:80] = found[:, 40:160, 112:162] = True
        is_dark = images.mean((1, 2, 3)) <= 20
        found[is_dark] = False
        return found, ["hardly any lung found" if dark else "" for dark in is_dark]

    monkeypatch.setattr(data_masks, "lungs_in", boxes)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two classes of two images, of which one is black."""
    noise = np.random.default_rng(0).integers(60, 200, (4, 120, 90), np.uint8)
    noise[3] = 0
    for number, pixels in enumerate(noise):
        file = tmp_path / f"images/{'sick' if number % 2 else 'Normal'}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return tmp_path / "images"


@pytest.mark.usefixtures("_two_lungs")
def test_masks_have_the_size_of_their_images_and_are_used(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["masks", "data=folder", f"data.root={images}", "--to", "found"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "found: masks of 3 images; look at found/overlays.png" in out
    assert "No mask for 1 image: hardly any lung found (masks.csv lists them)" in out
    assert "cxr data=folder" in out
    assert out.rstrip().endswith("data.masks=found")
    table = pd.read_csv("found/masks.csv", keep_default_na=False)
    assert list(table.columns) == ["path", "lung_share", "reason"]
    assert dict(zip(table["path"], table["reason"], strict=True))["sick/3.png"] == "hardly any lung found"
    mask = np.asarray(Image.open("found/Normal/0.png.png"))
    assert mask.shape == (120, 90)
    assert set(np.unique(mask)) == {0, 255}
    assert np.asarray(Image.open("found/overlays.png")).shape == (192, 4 * 192, 3)

    manifest = pd.DataFrame({"path": ["Normal/0.png", "sick/3.png"]})
    pixels = np.stack([np.asarray(read_grey(images / path).resize((64, 64))) for path in manifest["path"]])[..., None]
    data = DataConfig(root=str(images), masks="found")
    masks = lung_masks(data, images, manifest, pixels, read_grey)
    assert masks.origins == {"files": 1, "phantom": 0, "network": 0, "atlas": 1}
    assert masks.masks[0].mean() == pytest.approx(2 * 120 * 50 / 192**2, abs=0.02)
    before = masks_hash(data, images, manifest)
    assert before != masks_hash(DataConfig(root=str(images)), images, manifest)
    Image.fromarray(255 - mask).save("found/Normal/0.png.png")
    assert masks_hash(data, images, manifest) != before, "masks count by their content"
    Path("found/masks.csv").write_text("")  # as when it was cut off
    assert main(arguments) == 0, "its own folder is written again"
    assert masks_hash(data, images, manifest) == before
    (images / "sick/3.png").rename(images / "Normal/0.png")
    assert main(arguments) == 0
    assert not Path("found/Normal/0.png.png").exists(), "the mask of the image that was there before"


def test_places_that_are_not_written_to(images: Path) -> None:
    Path("other").mkdir()
    Path("other/mine.txt").write_text("mine")
    Path("file").write_text("mine")
    for to, why in (
        ("other", "holds other files"),
        (str(images / "masks"), "would be among the images"),
        ("file", "can't be written"),
    ):
        with pytest.raises(UserError, match=why):
            main(["masks", "data=folder", f"data.root={images}", "--to", to])
    assert sorted(path.name for path in images.iterdir()) == ["Normal", "sick"]


def test_folder_of_masks_that_is_not_there(images: Path) -> None:
    data = DataConfig(root=str(images), masks="nowhere")
    with pytest.raises(UserError, match=r"data\.masks=nowhere is no folder: cxr data masks --to FOLDER makes one"):
        masks_hash(data, images, pd.DataFrame({"path": ["Normal/0.png"]}))
