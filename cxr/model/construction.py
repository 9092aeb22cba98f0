"""The construction of a backbone by Keras: one flat graph from grey levels to its last feature map."""

from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import keras

from cxr.config.schema import PrepareConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture, Layer, canonical_names, format_shapes, write_architecture
from cxr.model.backbone import Backbone, InputScaling
from cxr.model.backbones.registry import backbone_of
from cxr.model.keras_private import run_steps, sources_of
from cxr.model.preprocessing import preprocessed

IMAGES, SCALED = "grey_levels", "to_input_range"
_RANDOM = ("Dropout", "SpatialDropout2D", "StochasticDepth", "GaussianNoise", "GaussianDropout", "AlphaDropout")


def construct(
    backbone: Backbone,
    size: int,
    pixels: InputScaling,
    weights: Path | None = None,
    alpha: float = 1.0,
    prepare: PrepareConfig | None = None,
) -> keras.Model:
    """A model from grey levels (n, size, size, 3) in 0..255 to the last feature map (n, rows, columns, channels).

    `weights` is an HDF5 file, or a `.keras` file whose layers have the same names; without them weights are random. Dropout inside
    a backbone does nothing: what is frozen has to give the same values in training and in use, and the head has its own.

    Raises:
        UserError: The weights do not fit after all.
    """
    images = keras.Input((size, size, 3), name=IMAGES)
    scale, offset = (values[0] if len(set(values)) == 1 else list(values) for values in (pixels.scale, pixels.offset))
    scaled = keras.layers.Rescaling(scale, offset=offset, name=SCALED)(images)
    arguments = dict(backbone.arguments) | ({"alpha": alpha} if backbone.widened else {})
    module, _, function = backbone.application.rpartition(".")
    is_archive = weights is not None and weights.suffix == ".keras"
    arguments["weights"] = None if weights is None or is_archive else str(weights)
    network = getattr(import_module(module), function)(input_tensor=scaled, include_top=False, **arguments)
    flat = keras.Model(images, network.output)
    if any(isinstance(layer, keras.Model) for layer in flat.layers):
        flat = _taken_apart(flat)
    _without_chance(flat)
    if weights is not None and is_archive:
        _load_archive(weights, flat)
    return _on_preprocessed(flat, prepare) if prepare and prepare.changes_images else flat


def _on_preprocessed(model: keras.Model, prepare: PrepareConfig) -> keras.Model:
    """A flat network with steps before it that prepare its images."""
    images = keras.Input(model.input.shape[1:], name=IMAGES)
    prepared = preprocessed(images, prepare)
    whole = keras.Model(images, _rebuilt(model, prepared))
    _copy_weights({layer.name: layer for layer in (*model.layers, *keras.Model(images, prepared).layers)}, whole)
    return whole


def network_of_file(input_tensor: Any, include_top: bool, weights: str | None, path: str, last: str) -> keras.Model:
    """The network of a `.keras` file up to the layer `last`, on another tensor; called like those of `keras.applications`.

    Raises:
        ValueError: A top or other weights are wanted.
    """
    if include_top or weights is not None:
        raise ValueError("a network of a file has no top and its own weights")
    stored = keras.saving.load_model(path, compile=False, safe_mode=True)
    (images,) = keras.utils.get_source_inputs(input_tensor)
    whole = keras.Model(images, _rebuilt(stored, input_tensor))
    steps = dict(zip((layer.name for layer in architecture_of(whole).layers), whole.operations, strict=True))
    flat = keras.Model(images, steps[last].output)
    _copy_weights({layer.name: layer for layer in _leaves(stored)}, flat)
    return flat


def architecture_of(model: keras.Model) -> Architecture:
    """The layers of a flat Keras model from the images upward, with names that do not depend on other networks."""
    steps = model.operations
    names = dict(zip(map(id, steps), canonical_names((step.name, type(step).__name__) for step in steps), strict=True))
    layers = []
    for step in steps:
        weights = tuple(tuple(weight.shape) for weight in getattr(step, "weights", []))
        inputs = tuple(dict.fromkeys(names[id(source)] for source in sources_of(step) if id(source) in names))
        layers.append(Layer(names[id(step)], type(step).__name__, inputs, weights, _multiply_adds(step, weights)))
    return Architecture(tuple(layers))


def write_layers(name: str, path: str) -> Architecture:
    """Write the table of the layers of a known backbone above the scaling of its pixels, as Keras builds it at its usual size."""
    backbone = backbone_of(name)
    assert backbone is not None
    model = construct(backbone, backbone.usual, backbone.pixels)
    architecture = Architecture(architecture_of(model).layers[_backbone_start(model) :])
    write_architecture(Path(path), architecture)
    return architecture


def _backbone_start(model: keras.Model) -> int:
    """The place of a network's first layer above the images, their preprocessing and their scaling."""
    return 1 + [step.name for step in model.operations].index(SCALED)


def check_constructed(model: keras.Model, expected: Architecture) -> None:
    """Raise `UserError` where Keras builds other layers than the table says: another version may, and depths would be wrong."""
    names = [layer.name for layer in architecture_of(model).layers[_backbone_start(model) :]]
    if names != [layer.name for layer in expected.layers]:
        raise UserError("this version of Keras builds the backbone with other layers than cxr knows: use the version in the lock")


def _multiply_adds(step: Any, weights: tuple[tuple[int, ...], ...]) -> int:
    kernels = sum(prod(shape) for shape in weights if len(shape) > 1)
    return kernels * prod(tuple(side for side in step.output.shape[1:-1] if side)) if kernels else 0


def _without_chance(model: keras.Model) -> None:
    for layer in model.layers:
        if type(layer).__name__ in _RANDOM:
            for rate in ("rate", "drop_path_rate", "stddev"):
                if hasattr(layer, rate):
                    setattr(layer, rate, 0.0)


def _taken_apart(model: keras.Model) -> keras.Model:
    """The same network with the layers of the networks inside it in their place, and the same weights."""
    images = keras.Input(model.input.shape[1:], name=IMAGES)
    flat = keras.Model(images, _rebuilt(model, images))
    _copy_weights({layer.name: layer for layer in _leaves(model)}, flat)
    return flat


def _rebuilt(model: keras.Model, value: Any) -> Any:
    """The output of fresh copies of a network's layers on another tensor; networks inside it are taken apart."""
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            value = _fresh(layer)(value)
        return value
    return run_steps(model, value, _fresh)


def _fresh(step: Any) -> Any:
    if isinstance(step, keras.Model):
        return lambda value, **_: _rebuilt(step, value)
    return type(step).from_config(step.get_config())


def _leaves(model: keras.Model) -> list[keras.Layer]:
    """The layers of a network and of the networks inside it, without those that stand for inputs."""
    leaves = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            leaves += _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            leaves.append(layer)
    return leaves


def _load_archive(path: Path, model: keras.Model) -> None:
    """Take over the weights of the layers of a `.keras` file with the same names."""
    layers = _leaves(keras.saving.load_model(path, compile=False, safe_mode=True))
    stored = dict(zip(canonical_names((layer.name, type(layer).__name__) for layer in layers), layers, strict=True))
    own = canonical_names((step.name, type(step).__name__) for step in model.operations)
    _copy_weights({step.name: stored[name] for name, step in zip(own, model.operations, strict=True) if name in stored}, model)


def _copy_weights(sources: dict[str, keras.Layer], model: keras.Model) -> None:
    """Give each layer of a model the weights of the one with its name; raises `UserError` without one that fits."""
    for layer in [layer for layer in model.layers if layer.weights]:
        needed = [tuple(weight.shape) for weight in layer.weights]
        stored = [tuple(weight.shape) for weight in sources[layer.name].weights] if layer.name in sources else None
        if stored != needed:
            held = "no such layer is there" if stored is None else f"it has {format_shapes(stored)}"
            raise UserError(f"weights of layer {layer.name} do not fit: {format_shapes(needed)} are needed, and {held}")
        layer.set_weights(sources[layer.name].get_weights())
