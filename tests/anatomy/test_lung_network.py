"""The network that finds lungs: its Dice on masks that it never saw, its card, and images without lungs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.anatomy import lung_network
from cxr.anatomy.lung_masks import lung_masks
from cxr.anatomy.lung_network import SIDE, check_network, lung_probabilities, lungs_in
from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.config.schema import DataConfig, PhantomConfig
from cxr.data.images.decode import read_grey
from cxr.errors import UserError
from tests.conftest import SHARED

LUNGS = SHARED / "data/lungs"
LEAST = {"openist": 0.968, "radiologists": 0.94}  # mean Dice


@pytest.fixture(scope="module")
def validation() -> pd.DataFrame:
    """The validation images with their masks."""
    if not LUNGS.is_dir():
        pytest.skip("the lung masks of ../shared are not here")
    table = pd.read_csv(LUNGS / "lungs.csv")
    return table[table["part"] == "val"].reset_index(drop=True)


def squares(files: list[str], side: int) -> np.ndarray:
    """Images (n, side, side, 1) of files below the folder."""
    images = [Image.open(LUNGS / file).convert("L").resize((side, side), Image.Resampling.BILINEAR) for file in files]
    return np.stack([np.asarray(image) for image in images])[..., None]


@pytest.mark.parametrize("side", [SIDE, 224])
def test_dice_on_validation(validation: pd.DataFrame, side: int) -> None:
    found, reasons = lungs_in(squares(list(validation["path"]), side))
    drawn = squares(list(validation["mask"]), SIDE)[..., 0] > 127
    dice = 2 * (found & drawn).sum((1, 2)) / (found.sum((1, 2)) + drawn.sum((1, 2)))
    card = json.loads(Path(lung_network.__file__).with_name("lungs.json").read_text())["dice"]
    for source, rows in validation.groupby("source").groups.items():
        values = np.sort(dice[rows])
        measured = values.mean(), values[: round(len(values) / 10)].mean()
        assert measured[0] >= LEAST[str(source)], source
        if side == SIDE:
            assert measured == pytest.approx((card[source]["mean"], card[source]["worst_tenth"]), abs=2e-3), source
    assert not any(reasons)


def test_result_depends_on_no_other_image() -> None:
    images = np.random.default_rng(1).integers(0, 256, (20, 96, 96, 1)).astype(np.uint8)
    together = lung_probabilities(images)
    assert np.abs(together[17:] - lung_probabilities(images[17:])).max() < 1e-5


def test_lungs_of_phantoms_are_found() -> None:
    """Though it never saw drawings: what a first run shows, and `prepare=lung_mask`, work on them."""
    rows = [(label, number) for label in CLASS_SHARES for number in range(8)]
    images = np.stack([draw(label, number, PhantomConfig()) for label, number in rows])[..., None]
    paths = pd.DataFrame({"path": [f"{label}/images/{label}-{number + 1}.png" for label, number in rows]})
    known = lung_masks(DataConfig(phantom=PhantomConfig()), Path("/nowhere"), paths, images, read_grey).masks
    found, reasons = lungs_in(images)
    known = np.stack([np.asarray(Image.fromarray(mask).resize((SIDE, SIDE))) for mask in known])
    dice = 2 * (found & known).sum((1, 2)) / (found.sum((1, 2)) + known.sum((1, 2)))
    assert dice.mean() > 0.84
    assert not any(reasons)


@pytest.mark.parametrize("kind", ["black", "white", "noise", "ramp"])
def test_image_without_lungs_has_none(kind: str) -> None:
    random = np.random.default_rng(0)
    image = {
        "black": np.zeros((100, 100), np.uint8),
        "white": np.full((100, 100), 255, np.uint8),
        "noise": random.integers(0, 256, (224, 224)).astype(np.uint8),
        "ramp": np.tile(np.linspace(0, 255, 192).astype(np.uint8), (192, 1)),
    }[kind]
    assert lungs_in(image[None, ..., None])[1] != [""]


def test_package_without_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lung_network, "_FILE", tmp_path / "lungs.xml")
    with pytest.raises(UserError, match=r"the network that finds lungs lacks lungs\.xml, lungs\.bin: install cxr again"):
        check_network()
