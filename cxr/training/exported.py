"""A saved model in the formats of other libraries, and how far their probabilities are from Keras'. Loads TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from cxr.model.saved import load_model
from cxr.system import compile_on_cpu, openvino_core
from cxr.training.engine import graph_file

# Grey levels (n, size, size, 3) float32 to probabilities (n, classes).
Probabilities = Callable[[NDArray[np.float32]], NDArray[np.float32]]
_OPSET = 18  # of ONNX: every runtime since 2023 has it


@dataclass(frozen=True)
class Format:
    """A format: what has to be installed for it, where it lies in a folder, and how to write and to run it."""

    name: str
    packages: tuple[str, ...]
    place: str
    write: Callable[[keras.Model, Path], None]
    open: Callable[[Path], Probabilities]

    @property
    def is_installed(self) -> bool:
        """Whether it can be written here."""
        return all(find_spec(package) is not None for package in self.packages)


def largest_difference(file: Path, of: Format, folder: Path, images: NDArray[np.uint8]) -> float:
    """The largest difference of a probability in a format from Keras', over images.

    A `.keras` file is written in the format below `folder`, in float32, which every library computes alike.

    Args:
        images: (n, size, size, 1).
    """
    saved, path = load_model(file, in_float32=True), folder / of.place
    path.parent.mkdir(parents=True, exist_ok=True)
    of.write(saved.model, path)
    grey = images.astype(np.float32)
    probabilities = of.open(path)(np.repeat(grey, 3, axis=-1))
    return float(np.abs(probabilities - saved.probabilities(grey)).max())


def difference_of_precision(file: Path, images: NDArray[np.uint8]) -> float:
    """The largest difference of a probability between a `.keras` file in its own precision and in float32.

    Args:
        images: (n, size, size, 1).
    """
    grey = images.astype(np.float32)
    probabilities = load_model(file).probabilities(grey)
    return float(np.abs(probabilities - load_model(file, in_float32=True).probabilities(grey)).max())


def _function_of(model: keras.Model) -> tuple[tf.types.experimental.PolymorphicFunction, tf.TensorSpec]:
    spec = tf.TensorSpec((None, *model.input.shape[1:]), tf.float32, name="images")
    return tf.function(lambda images: model(images, training=False), input_signature=[spec], autograph=False), spec


def _write_openvino(model: keras.Model, path: Path) -> None:
    core, (forward, _) = openvino_core(), _function_of(model)
    from openvino import save_model

    graph = convert_variables_to_constants_v2(forward.get_concrete_function())
    with graph_file(graph) as frozen:
        save_model(core.read_model(frozen), path, compress_to_fp16=False)


def _open_openvino(path: Path) -> Probabilities:
    compiled = compile_on_cpu(path, {})
    return lambda images: np.asarray(compiled([images])[0])


def _write_onnx(model: keras.Model, path: Path) -> None:
    import tf2onnx

    forward, spec = _function_of(model)
    tf2onnx.convert.from_function(forward, input_signature=[spec], opset=_OPSET, output_path=str(path))


def _open_onnx(path: Path) -> Probabilities:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])


FORMATS = (
    Format("OpenVINO", ("openvino",), "openvino/model.xml", _write_openvino, _open_openvino),
    Format("ONNX", ("tf2onnx", "onnxruntime"), "model.onnx", _write_onnx, _open_onnx),
)
