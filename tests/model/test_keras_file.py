"""A network of the user's own: read as data, refused where it needs code, and built as Keras would run it."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
from keras import layers

from cxr.config.schema import BackboneConfig, PrepareConfig
from cxr.errors import UserError
from cxr.model.backbones.keras_file import file_sha256
from cxr.model.backbones.registry import describe
from cxr.model.freeze import first_layer, named_freeze_points, stage_of_layers
from cxr.model.network import build_network
from cxr.model.partition import partition
from cxr.model.weights import locate_weights

SIZE = 32


def network(channels: int = 3, before: Callable[[object], object] = lambda tensor: tensor) -> keras.Model:
    images = keras.Input((SIZE, SIZE, channels))
    maps = before(layers.Rescaling(1 / 255)(images))
    for width in (4, 8):
        low = layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(maps)
        maps = layers.Add()([low, layers.Conv2D(width, 3, padding="same")(low)])
    pooled = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(maps))
    return keras.Model(images, layers.Dense(5, activation="softmax")(pooled))


def nested() -> keras.Model:
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Conv2D(4, 3, strides=2), layers.ReLU()])
    images = keras.Input((SIZE, SIZE, 3))
    whole = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(inner(layers.Rescaling(1 / 127.5, offset=-1)(images))))
    return keras.Model(images, layers.Dense(2)(whole))


def config_of(path: Path, **more: object) -> BackboneConfig:
    return BackboneConfig(name="keras_file", file=str(path), image_size=SIZE, weights="own", **more)  # type: ignore[arg-type]


def test_preprocessing_comes_before_the_network(tmp_path: Path) -> None:
    network().save(tmp_path / "own.keras")
    config, prepare = config_of(tmp_path / "own.keras"), PrepareConfig(borders=0.1)
    plain, prepared = (build_network(config, 3, locate_weights(config), prepare=settings) for settings in (None, prepare))
    assert [step.name for step in prepared.trainee.operations][:2] == [plain.trainee.operations[0].name, "prepared_0"]
    assert prepared.described.architecture == plain.described.architecture


@pytest.mark.parametrize(("make", "last"), [(network, "add_1"), (nested, "conv2d_1")])
def test_backbone_computes_what_keras_would(make: Callable[[], keras.Model], last: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    model.save(tmp_path / "own.keras")
    config = config_of(tmp_path / "own.keras")
    built = build_network(config, 3, locate_weights(config))
    assert not [layer for layer in built.trainee.layers if isinstance(layer, keras.Model)]
    assert built.described.architecture.layers[-1].name == last
    grey = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3)).astype(np.float32)
    pooled = next(layer for layer in model.layers if isinstance(layer, layers.GlobalAveragePooling2D))
    theirs = keras.Model(model.input, pooled.output)(grey)
    ours = keras.Model(built.trainee.input, built.trainee.get_layer("pooled").output)(grey)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert set(stage_of_layers(built.described)) == {layer.name for layer in built.described.architecture.layers if layer.weights}
    first = first_layer(named_freeze_points(built.described.backbone)["last_stage"], built.described)
    parts = partition(built, first)
    assert parts is not None
    np.testing.assert_allclose(parts.trainable(parts.frozen(grey)), built.trainee(grey), atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class OfTheirOwn(layers.Layer):  # type: ignore[misc]
    def call(self, inputs: object) -> object:
        return inputs


@keras.saving.register_keras_serializable(package="tests")  # type: ignore[untyped-decorator]
def theirs(inputs: object) -> object:
    return inputs


def test_module_that_is_named_like_keras_is_refused(tmp_path: Path) -> None:
    """Keras imports the module that a file names, so its name has to be Keras' own and not only begin like it."""
    network().save(tmp_path / "own.keras")
    with ZipFile(tmp_path / "own.keras") as file:
        config, weights = file.read("config.json"), file.read("model.weights.h5")
    with ZipFile(tmp_path / "renamed.keras", "w") as file:
        file.writestr("config.json", config.replace(b'"module": "keras.layers"', b'"module": "keras_layers"'))
        file.writestr("model.weights.h5", weights)
    with pytest.raises(UserError, match="needs code of its own"):
        describe(config_of(tmp_path / "renamed.keras"))


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (lambda: network(channels=1), "takes three equal channels"),
        (lambda: network(before=layers.Lambda(lambda tensor: tensor * 2)), "needs code of its own"),
        (lambda: network(before=OfTheirOwn()), "needs code of its own"),
        (lambda: network(before=layers.Activation(theirs)), "needs code of its own"),
        (lambda: keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Flatten(), layers.Dense(2)]), "has no convolution"),
        (lambda: keras.Model((images := keras.Input((SIZE, SIZE, 3))), [layers.Conv2D(2, 3)(images)] * 2), "it has 2 outputs"),
        (lambda: keras.Sequential([keras.Input((64, 64, 3)), layers.Conv2D(2, 3)]), "add backbone.image_size=64"),
        (lambda: keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Conv2D(2, 3)]), "add backbone.input_range"),
    ],
    ids=["grey", "lambda", "custom", "activation", "no convolution", "outputs", "size", "pixels"],
)
def test_network_that_can_not_be_a_backbone_is_refused_before_anything_runs(
    make: Callable[[], keras.Model], answer: str, tmp_path: Path
) -> None:
    make().save(tmp_path / "own.keras")
    with pytest.raises(UserError, match=answer):
        describe(config_of(tmp_path / "own.keras"))


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_file_that_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "own.keras").write_bytes(content)
    with pytest.raises(UserError, match=r"can't be a backbone: it is no \.keras file"):
        describe(config_of(tmp_path / "own.keras"))


def test_hash_depends_on_content_alone(tmp_path: Path) -> None:
    for name, content in (("one", b"a"), ("moved", b"a"), ("other", b"b")):
        (tmp_path / name).write_bytes(content)
    one, moved, other = (file_sha256(config_of(tmp_path / name)) for name in ("one", "moved", "other"))
    assert one == moved == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"  # FIPS 180-4, of "a"
    assert other != one
    assert file_sha256(BackboneConfig()) is None
