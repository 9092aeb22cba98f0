"""The saved model: opened with its own weights, also after another one, and without running code."""

import json
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.config.schema import BackboneConfig
from cxr.model.network import Network, build_network
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights

GREY = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 1)).astype(np.float32)


def network(size: int = 32) -> Network:
    return build_network(BackboneConfig(alpha=0.35, image_size=size), 3, Weights(path=PHANTOM_WEIGHTS))


def save_with_bias(path: Path, bias: float) -> NDArray[np.float32]:
    """Save a network with that bias of its first class; returns its probabilities of `GREY`."""
    built = network()
    built.classifier.get_layer("logits").bias.assign([bias, 0, 0])
    save_model(built, path)
    return np.asarray(built.classifier(np.repeat(GREY, 3, axis=-1), training=False))


def test_each_file_brings_its_own_weights(tmp_path: Path) -> None:
    """Into one model where nobody holds the other; and never into the model that somebody does hold."""
    a, b = (save_with_bias(tmp_path / f"{name}.keras", bias) for name, bias in (("a", 0.0), ("b", 2.0)))
    assert not np.allclose(a, b)
    first, second = load_model(tmp_path / "a.keras"), load_model(tmp_path / "b.keras")
    assert load_model(tmp_path / "b.keras") is second
    for _ in range(2):
        np.testing.assert_allclose(first.probabilities(GREY), a, atol=1e-6)
        np.testing.assert_allclose(second.probabilities(GREY), b, atol=1e-6)
    model = id(second.model)
    del first, second
    again = load_model(tmp_path / "a.keras")
    assert id(again.model) == model
    np.testing.assert_allclose(again.probabilities(GREY), a, atol=1e-6)


def test_network_that_was_written_before_is_written_as_keras_does(tmp_path: Path) -> None:
    built = network()
    save_model(built, tmp_path / "first.keras")
    built.classifier.get_layer("logits").bias.assign([1, 2, 3])
    built.classifier.get_layer("logits").trainable = False
    for name in ("other", "again"):
        save_model(built, tmp_path / f"{name}.keras")
        built.classifier.get_layer("logits").bias.assign([3, 2, 1])
    built.classifier.save(tmp_path / "keras.keras")
    configs = []
    for name in ("again", "keras"):
        with ZipFile(tmp_path / f"{name}.keras") as file:
            configs.append(file.read("config.json"))
        model = keras.saving.load_model(tmp_path / f"{name}.keras", safe_mode=True)
        for weight, expected in zip(model.get_weights(), built.classifier.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, expected)
    assert configs[0] == configs[1]
    built.classifier.get_layer("logits").trainable = True


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty archive"])
def test_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match="is no model that can be opened"):
        load_model(tmp_path / "model.keras")


def test_model_of_another_size_is_built_again(tmp_path: Path) -> None:
    for size in (32, 64):
        save_model(network(size=size), tmp_path / f"{size}.keras")
        assert load_model(tmp_path / f"{size}.keras").model.input.shape[1] == size


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    name = str(trap)
    inputs = keras.Input((2,))
    hostile = keras.Model(inputs, keras.layers.Lambda(lambda x: Path(name).write_text("it ran") and x, output_shape=(2,))(inputs))
    hostile.save(tmp_path / "hostile.keras")
    with pytest.raises(ValueError, match="is no model that can be opened without running its own code"):
        load_model(tmp_path / "hostile.keras")
    assert not trap.exists()


def test_a_class_of_someone_elses_is_not_imported(tmp_path: Path) -> None:
    save_model(network(), tmp_path / "model.keras")
    with ZipFile(tmp_path / "model.keras") as file:
        config = json.loads(file.read("config.json"))
        rest = {name: file.read(name) for name in file.namelist() if name != "config.json"}
    config["module"], config["class_name"], config["registered_name"] = "os", "system", None
    with ZipFile(tmp_path / "other.keras", "w") as file:
        file.writestr("config.json", json.dumps(config))
        for name, content in rest.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="is no model that can be opened"):
        load_model(tmp_path / "other.keras")
