"""Each undocumented part of Keras that `cxr` uses: where a test fails, this version of Keras has changed what the test names."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from cxr.model.construction import architecture_of
from cxr.model.keras_archive import read_archive
from cxr.model.keras_private import (
    CONFIG,
    WEIGHTS,
    has_keras_3_layout,
    run_steps,
    skip_gradient_sum,
    source_of,
    sources_of,
    takes_training,
    weight_shapes,
)

IMAGE = (8, 8, 3)


@pytest.fixture
def network() -> keras.Model:
    images = keras.Input(IMAGE)
    low = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, padding="same", name="low")(images))
    joined = layers.Add(name="sum")([low, layers.DepthwiseConv2D(3, padding="same", name="high")(low)])
    return keras.Model(images, layers.Dropout(0.5, name="dropout")(joined + 1.0))


def test_symbolic_tensor_names_its_step(network: keras.Model) -> None:
    """`KerasTensor._keras_history.operation`."""
    assert source_of(network.get_layer("sum").output) is network.get_layer("sum")


def test_steps_know_their_inputs(network: keras.Model) -> None:
    """`Operation._inbound_nodes` and `Node.input_tensors`."""
    by_name = {step.name: [source.name for source in sources_of(step)] for step in network.operations}
    assert by_name["sum"] == ["norm", "high"]
    assert by_name["low"] == [network.operations[0].name]
    assert by_name[network.operations[0].name] == []


def test_graph_runs_through_replaced_steps(network: keras.Model) -> None:
    """`Functional._run_through_graph(inputs, operation_fn=...)`."""
    images, ran = np.ones((2, *IMAGE), np.float32), []

    def function_of(step: Any) -> Any:
        ran.append(step.name)
        return (lambda *inputs, **_: inputs[0] * 2) if step.name == "dropout" else step

    doubled = run_steps(network, keras.ops.convert_to_tensor(images), function_of)
    np.testing.assert_allclose(doubled, 2 * network(images), rtol=1e-6)
    assert ran == [step.name for step in network.operations[1:]]


def test_layers_say_whether_they_take_training(network: keras.Model) -> None:
    """`Layer._call_has_training_arg`; an operation such as a sum of tensors has none."""
    taking = {step.name for step in network.operations if takes_training(step)}
    assert taking == {"norm", "dropout"}


@pytest.mark.parametrize("make", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_gradients_are_applied_without_their_sum(make: Any) -> None:
    """`Optimizer._all_reduce_sum_gradients`, which the trainer of TensorFlow calls with pairs of gradient and variable."""
    optimizer, variable = make(0.1), keras.Variable([1.0])
    assert callable(optimizer._all_reduce_sum_gradients)
    skip_gradient_sum(optimizer)
    optimizer.apply([keras.ops.ones((1,))], [variable])
    assert float(variable[0]) == pytest.approx(0.9, abs=1e-4)


def test_weights_file_has_layers_by_name(network: keras.Model, tmp_path: Path) -> None:
    """The layout of `model.weights.h5`: groups `vars` with the name of the layer, and arrays that are numbered from 0."""
    network.save(tmp_path / "model.keras")
    with ZipFile(tmp_path / "model.keras") as archive:
        assert {CONFIG, WEIGHTS} <= set(archive.namelist())
        archive.extract(WEIGHTS, tmp_path)
    with h5py.File(tmp_path / WEIGHTS) as file:
        shapes = weight_shapes(file)
        assert has_keras_3_layout(file)
    for layer in network.layers:
        if layer.weights:
            assert shapes[layer.name] == tuple(tuple(weight.shape) for weight in layer.weights)


def test_config_of_a_functional_network_names_inputs(network: keras.Model, tmp_path: Path) -> None:
    """The layout of `config.json`: `layers`, and their `inbound_nodes` with `keras_history` and `shape`."""
    network.save(tmp_path / "model.keras")
    archive = read_archive(tmp_path / "model.keras")
    first, *others = architecture_of(network).layers[1:]
    assert (archive.image, archive.architecture.layers[0].name) == (IMAGE, first.name)
    inputs = [(layer.name, layer.kind, layer.inputs, layer.weights) for layer in archive.architecture.layers[1:]]
    assert inputs == [(layer.name, layer.kind, layer.inputs, layer.weights) for layer in others]
    assert archive.maps >= {"low", "norm", "high", "sum"}  # and a sum without a layer is an `Add` of Keras


def test_config_of_a_sequential_network_has_built_shapes(tmp_path: Path) -> None:
    """The layout of `config.json` for a `Sequential`, also within a network: `build_config` with `input_shape`."""
    chain = keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(4, 3, strides=2, name="low"), layers.BatchNormalization(name="norm")]
    )
    images = keras.Input(IMAGE)
    for model, last in ((chain, ()), (keras.Model(images, layers.Flatten(name="flat")(chain(images))), ("flat",))):
        model.save(tmp_path / "model.keras")
        archive = read_archive(tmp_path / "model.keras")
        assert archive.image == IMAGE
        assert tuple(layer.name for layer in archive.architecture.layers) == ("low", "norm", *last)
        assert [layer.inputs for layer in archive.architecture.layers[1:]] == [("low",), ("norm",)][: 1 + len(last)]
        assert "low" in archive.maps
        assert archive.reducing == {"low"}
