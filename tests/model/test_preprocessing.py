"""Steps that prepare images: what each setting does, the same in the saved model, and Grad-CAM in the image's own frame."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import binary_erosion

from cxr.anatomy.lung_network import lungs_in
from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.config.schema import BackboneConfig, PhantomConfig, PrepareConfig
from cxr.model.grad_cam import frames_of, grad_cam, saliency_maps
from cxr.model.network import build_network
from cxr.model.preprocessing import preprocessed
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.engine import make_engine

SIZE = 96
IMAGES = np.stack([draw(label, number, PhantomConfig()) for number in range(2) for label in CLASS_SHARES])[..., None]


def steps_of(**settings: Any) -> keras.Model:
    images = keras.Input((SIZE, SIZE, 3))
    return keras.Model(images, preprocessed(images, PrepareConfig(**settings)))


def prepared(images: NDArray[np.uint8] = IMAGES, **settings: Any) -> NDArray[np.float32]:
    grey = np.asarray(steps_of(**settings)(np.repeat(images, 3, axis=-1).astype(np.float32)))
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    return grey[..., :1]


def test_default_settings_change_nothing() -> None:
    np.testing.assert_array_equal(prepared(), IMAGES)


def test_the_mask_keeps_the_lungs_and_hides_the_rest() -> None:
    found, _ = lungs_in(IMAGES)
    for before, after, lungs in zip(IMAGES, prepared(mask="lungs"), found, strict=True):
        inside = np.asarray(Image.fromarray(binary_erosion(lungs, iterations=8)).resize((SIZE, SIZE)))
        np.testing.assert_allclose(after[inside], before[inside], atol=12)
        assert np.ptp(after[:5, :5]) < 0.2 * max(np.ptp(before), 1)  # a corner


@pytest.mark.parametrize(
    ("rows", "columns", "settings", "share"),
    [(slice(0, 10), slice(0, 10), {"mask": "lungs"}, 0.2), (slice(3, 13), slice(1, 4), {"markers": True}, 0.25)],
    ids=["mask", "markers"],
)
def test_bright_marks_outside_the_lungs_go(rows: slice, columns: slice, settings: dict[str, Any], share: float) -> None:
    marked = IMAGES.copy()
    marked[:, rows, columns] = 255
    left = np.abs(prepared(marked, **settings) - prepared(**settings)).mean()
    assert left < share * np.abs(marked.astype(float) - IMAGES).mean()


@pytest.mark.parametrize("crop", ["thorax", "lungs"])
def test_a_crop_enlarges_its_frame(crop: str) -> None:
    frames = frames_of(steps_of(crop=crop), IMAGES)
    assert frames is not None
    for before, after, (left, top, right, bottom) in zip(IMAGES, prepared(crop=crop), frames, strict=True):
        box = float(left * SIZE), float(top * SIZE), float(right * SIZE), float(bottom * SIZE)
        expected = Image.fromarray(before[..., 0]).resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box)
        np.testing.assert_allclose(after[4:-4, 4:-4, 0], np.asarray(expected)[4:-4, 4:-4], atol=16)
        assert 0.3 < right - left <= 1


def test_borders_and_corners_are_filled_evenly() -> None:
    filled = prepared(borders=0.05, corners=0.2)
    assert np.ptp(filled[:, : SIZE // 20], axis=(1, 2, 3)).max() < 1e-3
    assert np.ptp(filled[:, :18, :18], axis=(1, 2, 3)).max() < 1e-3
    np.testing.assert_array_equal(filled[:, 30:60, 30:60], IMAGES[:, 30:60, 30:60])


def test_equalised_histograms_are_those_of_pillow() -> None:
    for before, after in zip(IMAGES, prepared(histogram="equalised"), strict=True):
        expected = np.asarray(ImageOps.equalize(Image.fromarray(before[..., 0])), np.float32)
        assert np.abs(after[..., 0] - expected).mean() < 6


@pytest.mark.parametrize("histogram", ["equalised", "clahe", "matched"])
def test_exposure_hardly_matters_after_an_evened_histogram(histogram: str) -> None:
    darker = np.round(255 * (IMAGES / 255) ** 1.5).astype(np.uint8)
    apart = np.abs(prepared(darker, histogram=histogram) - prepared(histogram=histogram)).mean()
    assert apart < 0.5 * np.abs(darker.astype(float) - IMAGES).mean()


def test_a_matched_histogram_is_that_of_a_normal_distribution() -> None:
    matched = prepared(histogram="matched")
    assert matched.mean(axis=(1, 2, 3)) == pytest.approx(np.full(len(matched), 128), abs=12)
    assert matched.std(axis=(1, 2, 3)) == pytest.approx(np.full(len(matched), 53), abs=10)


@pytest.mark.parametrize(
    "settings",
    [{"mask": "lungs", "crop": "lungs"}, {"histogram": "clahe"}, {"histogram": "matched", "markers": True, "corners": 0.1}],
    ids=lambda settings: "-".join(settings),
)
def test_openvino_computes_the_same(settings: dict[str, Any]) -> None:
    steps = steps_of(**settings)
    pooled = keras.layers.AveragePooling2D(4)(steps.output)
    engine = make_engine("openvino", keras.Model(steps.input, pooled), "float32", 1)  # raises where values differ from TensorFlow's
    assert len(list(engine(iter(IMAGES[:2].astype(np.float32)[None])))) == 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_images_give_finite_values(value: int) -> None:
    flat = np.full((2, SIZE, SIZE, 1), value, np.uint8)
    for histogram in ("equalised", "clahe", "matched"):
        settings = {"mask": "lungs", "crop": "lungs", "markers": True, "borders": 0.1, "corners": 0.1}
        assert np.isfinite(prepared(flat, histogram=histogram, **settings)).all()


def test_the_saved_model_prepares_by_itself_and_its_maps_lie_in_the_frame(tmp_path: Path) -> None:
    backbone = BackboneConfig(alpha=0.35, image_size=SIZE)
    network = build_network(backbone, 3, Weights(path=PHANTOM_WEIGHTS), 0, PrepareConfig(mask="lungs", crop="lungs"))
    save_model(network, tmp_path / "model.keras")
    saved = load_model(tmp_path / "model.keras")
    cropped = prepared(mask="lungs", crop="lungs")
    plain = build_network(backbone, 3, Weights(path=PHANTOM_WEIGHTS), 0).classifier
    expected = np.asarray(plain(np.repeat(cropped, 3, axis=-1)))
    np.testing.assert_allclose(saved.probabilities(IMAGES.astype(np.float32)), expected, atol=1e-4)
    maps = saliency_maps(grad_cam(saved), IMAGES, np.zeros(len(IMAGES), np.int64))
    assert maps.shape[1:] == (6, 6)
    frames = frames_of(saved.model, IMAGES)
    assert frames is not None
    for corner, (left, top, _, _) in zip(maps[:, 0, 0], frames, strict=True):
        assert corner == 0 or max(left, top) <= 1 / 12  # the middle of the cell


def test_names_of_steps_depend_on_no_other_network() -> None:
    first, second = steps_of(mask="lungs", crop="lungs"), steps_of(mask="lungs", crop="lungs")
    assert [step.name for step in first.operations[1:]] == [step.name for step in second.operations[1:]]


def test_image_without_lungs_stays_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 1)).astype(np.uint8)
    flat = np.full((2, SIZE, SIZE, 1), 90, np.uint8)
    for images in (noise, flat):
        np.testing.assert_allclose(prepared(images, mask="lungs", crop="lungs", markers=True), images, atol=1e-2)
