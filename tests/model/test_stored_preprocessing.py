"""The layer that prepared images in models of before version 0.3: the same values, and Grad-CAM in the image's own frame."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.config.schema import PhantomConfig, PrepareConfig
from cxr.model.grad_cam import frames_of
from cxr.model.saved import load_model
from cxr.model.stored_preprocessing import StoredPreprocessing

IMAGES = np.stack([draw(label, number, PhantomConfig()) for number in range(2) for label in CLASS_SHARES])[..., None]


# Means and standard deviations are those of version 0.2.
@pytest.mark.parametrize(
    ("settings", "mean", "spread"),
    [
        ({"mask": "lungs"}, 120.49234, 36.242725),
        ({"crop": "lungs"}, 127.57096, 53.011883),
        ({"crop": "thorax", "histogram": "clahe"}, 129.00165, 61.186966),
        ({"markers": True, "borders": 0.05, "corners": 0.2, "histogram": "matched"}, 126.41777, 54.15206),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_values_are_those_of_before(settings: dict[str, Any], mean: float, spread: float, tmp_path: Path) -> None:
    images = keras.Input((96, 96, 3))
    steps = keras.layers.Rescaling(1.0)(StoredPreprocessing(asdict(PrepareConfig(**settings)))(images))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.DepthwiseConv2D(1)(steps))
    keras.Model(images, keras.layers.Softmax()(pooled)).save(tmp_path / "model.keras")
    stored = load_model(tmp_path / "model.keras").model
    (layer,) = [layer for layer in stored.layers if isinstance(layer, StoredPreprocessing)]
    grey = np.asarray(layer(np.repeat(IMAGES, 3, axis=-1).astype(np.float32)))[..., 0]
    assert (grey.mean(), grey.std()) == pytest.approx((mean, spread), rel=1e-5)
    frames = frames_of(stored, IMAGES)
    assert (frames is None) == ("crop" not in settings)
    if frames is not None:
        assert frames.shape == (len(IMAGES), 4)
        assert ((frames[:, 2:] - frames[:, :2]) > 0.3).all()
