"""Engines: the same numbers from each, for any batch; chosen by the machine; without telemetry."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxr.config.schema import BackboneConfig, EngineConfig
from cxr.model.network import build_network
from cxr.model.partition import Partition, partition
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training import engine
from cxr.training.engine import (
    BATCHES,
    EngineUnusable,
    Name,
    choose_engine,
    compile_openvino,
    constant_graph,
    make_engine,
)

IMAGES = np.random.default_rng(0).uniform(0, 255, (16, 96, 96, 1)).astype(np.float32)


@pytest.fixture(scope="module", params=["pooled", "block_3_expand"])
def parts(request: pytest.FixtureRequest) -> Partition:
    parts = partition(build_network(BackboneConfig(alpha=0.35, image_size=96), 3, Weights(path=PHANTOM_WEIGHTS)), request.param)
    assert parts is not None
    return parts


def batches(name: Name, images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, BATCHES[name], 96, 96, 1)


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_activations_are_those_of_keras(name: Name, parts: Partition) -> None:
    activations = np.concatenate(list(make_engine(name, parts.frozen, "float32", 2)(batches(name, IMAGES))))
    expected = keras.ops.convert_to_numpy(parts.frozen(np.repeat(IMAGES, 3, axis=-1)))
    assert activations.dtype == np.float32
    np.testing.assert_allclose(activations, expected, atol=1e-5 * np.abs(expected).max())
    logits = [keras.ops.convert_to_numpy(parts.trainable(values)) for values in (activations, expected)]
    np.testing.assert_allclose(tf.nn.softmax(logits[0]), tf.nn.softmax(logits[1]), atol=1e-4)


@pytest.mark.parametrize("name", ["openvino", "tensorflow"])
def test_activations_do_not_depend_on_other_images_of_the_batch(name: Name, parts: Partition) -> None:
    compute, order = make_engine(name, parts.frozen, "float32", 2), np.random.default_rng(1).permutation(len(IMAGES))
    plain, shuffled = (np.concatenate(list(compute(batches(name, images)))) for images in (IMAGES, IMAGES[order]))
    np.testing.assert_array_equal(shuffled, plain[order])


def test_batches_come_in_order_also_after_a_caller_that_stopped_early(parts: Partition) -> None:
    compute = make_engine("openvino", parts.frozen, "float32", 2)
    many = [np.full((BATCHES["openvino"], 96, 96, 1), grey, np.float32) for grey in range(0, 250, 10)]
    stopped = compute(many)
    next(stopped)
    stopped.close()
    assert list(compute([])) == []
    for batch, activations in zip(many, list(compute(many)), strict=True):
        np.testing.assert_array_equal(activations[0], next(compute([batch]))[0])


def test_openvino_computes_in_float32_and_sends_nothing(parts: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where its usage statistics would leave their traces
    compiled = compile_openvino(constant_graph(parts.frozen, "float32", BATCHES["openvino"]), 2)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert list(tmp_path.iterdir()) == []


def test_engine_that_computes_other_values_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    images = keras.Input((96, 96, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    other = constant_graph(keras.Model(images, keras.layers.Rescaling(1.01)(pooled)), "float32", BATCHES["openvino"])
    wrong = compile_openvino(other, 2)
    monkeypatch.setattr(engine, "compile_openvino", lambda graph, threads: wrong)
    with pytest.raises(EngineUnusable, match=r"activations differ from TensorFlow's by 0.01 of the largest"):
        next(make_engine("openvino", keras.Model(images, pooled), "float32", 2)(batches("openvino", IMAGES)))


def test_operation_that_openvino_lacks_is_named() -> None:
    grey = keras.Input((96, 96, 3))
    lacking = keras.Model(grey, keras.ops.det(keras.ops.transpose(grey, (0, 3, 1, 2))))
    with pytest.raises(EngineUnusable, match="OpenVINO can't compile it: No conversion rule found for operations: MatrixDet"):
        make_engine("openvino", lacking, "float32", 2)


@pytest.mark.parametrize(
    ("name", "precision", "gpu", "installed", "chosen"),
    [
        ("auto", "float32", False, True, "openvino"),
        ("auto", "float32", False, False, "tensorflow"),
        ("auto", "float32", True, True, "tensorflow"),
        ("auto", "mixed_bfloat16", False, True, "tensorflow"),
        ("openvino", "float32", True, True, "openvino"),
        ("tensorflow", "float32", False, True, "tensorflow"),
    ],
)
def test_engine_is_chosen_by_machine_and_precision(
    name: str, precision: str, gpu: bool, installed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] if gpu else [])
    monkeypatch.setattr(engine, "find_spec", lambda name: object() if installed else None)
    assert choose_engine(EngineConfig(name), precision) == chosen


@pytest.mark.slow
def test_import_of_openvino_sends_nothing() -> None:
    """By itself it sends an event over the network with each import."""
    code = "import sys; from cxr.system import openvino_core as core; core(); print(sys.modules['openvino_telemetry'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n"
    assert "telemetry" not in done.stderr
