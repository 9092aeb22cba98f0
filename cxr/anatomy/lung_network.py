"""Lungs found by the network that ships with cxr, a small U-Net that OpenVINO runs; docs/lungs.md is its card."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.lung_atlas import shrinking
from cxr.anatomy.lung_shape import two_largest, why_no_lungs
from cxr.errors import UserError
from cxr.system import compile_on_cpu, cores, openvino_core

SIDE = 192  # pixels of the network's input and output
_FILE = Path(__file__).with_name("lungs.xml")  # scripts/train_lung_segmenter writes it, and lungs.bin with the weights
_AT_ONCE = 16


def lung_probabilities(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability that a pixel is lung, (n, 192, 192), 0 to 1.

    Args:
        images: (n, size, size, 1), of any size.

    Raises:
        UserError: The package lacks the network's files.
    """
    shrink = shrinking(images.shape[1], SIDE)
    request, output = _compiled().create_infer_request(), np.empty((len(images), SIDE, SIDE), np.float32)
    batch = np.zeros((_AT_ONCE, SIDE, SIDE, 1), np.float32)  # always full, as sums in another batch are rounded otherwise
    for start in range(0, len(images), _AT_ONCE):
        part = images[start : start + _AT_ONCE, ..., 0].astype(np.float32)
        batch[: len(part), ..., 0] = shrink @ part @ shrink.T
        request.infer([batch])
        output[start : start + len(part)] = request.get_output_tensor().data[: len(part), ..., 0]
    return output


def lungs_in(images: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], list[str]]:
    """The lungs of each image, (n, 192, 192), and why they are no plausible pair of lungs; "" where they are one.

    They are the two largest parts that are more probably lung than not.

    Args:
        images: (n, size, size, 1), of any size.

    Raises:
        UserError: The package lacks the network's files.
    """
    probabilities = lung_probabilities(images)
    masks = np.stack([two_largest(image > 0.5) for image in probabilities])
    certainties = (probabilities * masks).sum((1, 2), dtype=np.float64) / np.maximum(masks.sum((1, 2)), 1)
    return masks, list(map(why_no_lungs, masks, certainties))


def check_network() -> None:
    """Check that the package has the network.

    Raises:
        UserError: It lacks a file.
    """
    if absent := [path.name for path in (_FILE, _FILE.with_suffix(".bin")) if not path.is_file()]:
        raise UserError(f"the network that finds lungs lacks {', '.join(absent)}: install cxr again")


def network_hash() -> str:
    """16 hex digits of the content of the network's files.

    Raises:
        UserError: The package lacks one.
    """
    check_network()
    return hashlib.sha256(_FILE.read_bytes() + _FILE.with_suffix(".bin").read_bytes()).hexdigest()[:16]


def convolutions() -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Kernel (rows, columns, in, out) and bias (out,) of each convolution of the network, from the images upward.

    Raises:
        UserError: The package lacks the network's files.
    """
    check_network()
    found = []
    for step in openvino_core().read_model(str(_FILE)).get_ordered_ops():
        if step.get_type_name() == "Convolution":
            (bias,) = step.output(0).get_target_inputs()
            found.append((_constant(step, 1).transpose(2, 3, 1, 0), _constant(bias.get_node(), 1).ravel()))
    return found


def _constant(step: Any, number: int) -> NDArray[np.float32]:
    """An input of a step that is a constant, of 16 bits or not."""
    source = step.input_value(number).get_node()
    return np.asarray((source if source.get_type_name() == "Constant" else source.input_value(0).get_node()).data, np.float32)


@cache
def _compiled() -> Any:
    check_network()
    return compile_on_cpu(str(_FILE), {"INFERENCE_NUM_THREADS": cores(), "ENABLE_CPU_PINNING": False})
