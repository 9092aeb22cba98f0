"""A saved model in OpenVINO's format, and how far its probabilities are from Keras'. Loads TensorFlow."""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from cxr.model.saved import load_model
from cxr.training.engine import EngineUnusable, openvino_core


def write_openvino(file: Path, folder: Path) -> Path:
    """Write model.xml and model.bin in float32, with the inputs and outputs of the `.keras` file; any number of images.

    Raises `EngineUnusable` without OpenVINO.
    """
    if find_spec("openvino") is None:
        raise EngineUnusable("OpenVINO is not installed")
    core, model = openvino_core(), load_model(file).model
    given = tf.TensorSpec((None, *model.input.shape[1:]), tf.float32)
    forward = tf.function(lambda images: model(images, training=False), input_signature=[given], autograph=False)
    graph = convert_variables_to_constants_v2(forward.get_concrete_function())
    folder.mkdir(parents=True)
    with TemporaryDirectory(prefix="cxr-") as place:
        frozen = Path(place) / "frozen.pb"
        frozen.write_bytes(graph.graph.as_graph_def().SerializeToString())
        from openvino import save_model

        save_model(core.read_model(frozen), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"


def largest_difference(file: Path, openvino: Path, images: NDArray[np.uint8]) -> float:
    """The largest difference of a probability between a `.keras` file and the same in OpenVINO's format, over grey images."""
    grey = images.astype(np.float32)
    compiled = openvino_core().compile_model(openvino, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([np.repeat(grey, 3, axis=-1)])[0]
    return float(np.abs(found - load_model(file).probabilities(grey)).max())
