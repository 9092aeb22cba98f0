"""Weights files: found, and checked against the architecture without TensorFlow."""

from collections import Counter
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.backbone import Backbone
from cxr.model.backbones.registry import backbone_names, backbone_of, describe
from cxr.model.weights import PHANTOM_WEIGHTS, locate_weights


@pytest.mark.parametrize("alpha", [0.35, 0.5, 0.75, 1.0, 1.3, 1.4])
def test_the_expected_shapes_are_keras_own(alpha: float) -> None:
    model = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=alpha, include_top=False, weights=None)
    shapes = describe(BackboneConfig(alpha=alpha)).architecture.shapes
    assert shapes == Counter(tuple(variable.shape) for variable in model.variables)


def test_the_shipped_weights_fit_their_option() -> None:
    weights = locate_weights(BackboneConfig(alpha=0.35, weights="phantom"))
    assert weights.path == PHANTOM_WEIGHTS
    assert len(weights.sha256 or "") == 64


def test_an_installed_backbone_that_is_broken_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_or_known(name: str) -> Backbone | None:
        if name == "broken":
            raise UserError("broken can't be imported")
        return backbone_of(name)

    monkeypatch.setattr("cxr.model.weights.backbone_names", lambda: ["broken", *backbone_names()])
    monkeypatch.setattr("cxr.model.weights.backbone_of", broken_or_known)
    test_another_width_is_named()


def test_another_width_is_named() -> None:
    with pytest.raises(UserError, match=r"is made for backbone=mobilenet_v2 backbone.alpha=0\.35"):
        locate_weights(BackboneConfig(alpha=1.0, weights=str(PHANTOM_WEIGHTS)))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.keras"])
def test_weights_of_another_network_are_refused(name: str, tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.save_weights(tmp_path / name) if "weights" in name else model.save(tmp_path / name)
    with pytest.raises(UserError, match=r"does not fit|can't be read"):
        locate_weights(BackboneConfig(alpha=0.35, weights=str(tmp_path / name)))


def test_imagenet_weights_need_a_published_width() -> None:
    with pytest.raises(UserError, match=r"no ImageNet weights are published for backbone\.alpha=0\.6"):
        locate_weights(BackboneConfig(alpha=0.6))


def test_weights_of_another_backbone_say_which(tmp_path: Path) -> None:
    arguments = {"include_top": False, "weights": None, "include_preprocessing": False}
    made = keras.applications.MobileNetV3Small(input_shape=(32, 32, 3), **arguments)
    made.save_weights(tmp_path / "w.weights.h5")
    answer = (
        r"does not fit DenseNet121 without top: it lacks .* and \d+ more shapes, .*; it is made for backbone=mobilenet_v3_small$"
    )
    with pytest.raises(UserError, match=answer):
        locate_weights(BackboneConfig(name="densenet121", weights=str(tmp_path / "w.weights.h5")))


@pytest.mark.parametrize(
    ("channels", "top", "answer"), [(1, False, "on grey images of one channel"), (3, True, "with a classification top")]
)
def test_weights_for_grey_images_or_with_a_top_say_so(channels: int, top: bool, answer: str, tmp_path: Path) -> None:
    model = keras.applications.MobileNetV2(input_shape=(32, 32, channels), alpha=0.35, include_top=top, weights=None)
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(UserError, match=answer):
        locate_weights(BackboneConfig(alpha=0.35, weights=str(tmp_path / "w.weights.h5")))


def test_a_file_whose_name_belies_its_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "renamed.h5").write_bytes(PHANTOM_WEIGHTS.read_bytes())
    with pytest.raises(UserError, match=r"rename the file to end in \.weights\.h5"):
        locate_weights(BackboneConfig(alpha=0.35, weights=str(tmp_path / "renamed.h5")))


@pytest.mark.parametrize(
    ("how", "answer"), [("virtual", "is in another file"), ("external", "is in another file"), ("nan", "are no numbers")]
)
def test_arrays_that_lie_elsewhere_or_are_no_numbers_are_refused(how: str, answer: str, tmp_path: Path) -> None:
    """Keras refuses the first two too, after the run has begun, and by a traceback of hundreds of lines."""
    path = tmp_path / "odd.weights.h5"
    with h5py.File(path, "w") as file:
        if how == "virtual":
            layout = h5py.VirtualLayout((3,), "f4")
            layout[:] = h5py.VirtualSource("elsewhere.h5", "a", (3,))
            file.create_virtual_dataset("layers/a", layout)
        elif how == "external":
            file.create_dataset("layers/a", (3,), "f4", external=[("/etc/hostname", 0, 12)])
        else:
            file["layers/a"] = np.array([1, np.nan], np.float32)
    with pytest.raises(UserError, match=answer):
        locate_weights(BackboneConfig(weights=str(path)))
