"""How images are moved: OpenVINO interpolates all of a batch at once, on all cores."""

from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.data.augment import Views
from cxr.system import compile_on_cpu, cores, openvino_core

_VERSION = 4  # of how images are moved; 3 was by Keras
_AT_ONCE = 32  # images, so that what they come from stays near the cores


def warp_version() -> str:
    """The version of what moves images: another may interpolate to other last digits."""
    return f"{_VERSION}, openvino {metadata.version('openvino')}"


def moved(images: NDArray[Any], views: Views) -> NDArray[np.float32]:
    """Images moved and exposed as drawn, (n, size, size, 1), 0 to 255; exposed ones may leave that range.

    Values between pixels are bilinear. Edges are reflected: black ones would show a frozen backbone which images were moved. An
    image does not depend on the others of a batch.

    Args:
        images: (n, size, size, 1), uint8 or float32, 0 to 255.
    """
    request = _compiled(images.shape[1], images.dtype.name, views.exposes).create_infer_request()
    exposure = [views.gain, views.offset] if views.exposes else []
    output = np.empty(images.shape, np.float32)
    for start in range(0, len(images), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        request.infer([images[part], views.transforms[part], *(values[part] for values in exposure)], share_inputs=True)
        output[part] = request.get_output_tensor().data
    return output


@lru_cache(maxsize=8)
def _compiled(size: int, dtype: str, exposed: bool) -> Any:
    """OpenVINO's function of images and transforms, and of gain and offset where they are exposed."""
    openvino_core()  # before any other import of the library
    from openvino import Model
    from openvino import opset13 as ops

    def shaped(values: Any, *shape: int) -> Any:
        return ops.reshape(values, np.array(shape), special_zero=False)

    images, transforms = ops.parameter([-1, size, size, 1], np.dtype(dtype)), ops.parameter([-1, 8], np.float32)
    inputs = [images, transforms]
    levels = shaped(ops.convert(images, "f32"), -1, 1, size, size)
    places = shaped(_places(ops, transforms, size), -1, size, size, 2)
    edges = {"align_corners": False, "mode": "bilinear", "padding_mode": "reflection"}
    grey = shaped(ops.grid_sample(levels, places, edges), -1, size * size)
    if exposed:  # around mid-grey: (level - 127.5) gain + 127.5 + offset
        gain, offset = ops.parameter([-1], np.float32), ops.parameter([-1], np.float32)
        inputs += [gain, offset]
        base = ops.add(ops.multiply(ops.subtract(np.float32(1), gain), np.float32(127.5)), offset)
        grey = ops.add(ops.multiply(grey, shaped(gain, -1, 1)), shaped(base, -1, 1))
    options = {"INFERENCE_NUM_THREADS": cores(), "ENABLE_CPU_PINNING": False}
    return compile_on_cpu(Model([shaped(grey, -1, size, size, 1)], inputs, "moved"), options)


def _places(ops: Any, transforms: Any, size: int) -> Any:
    """Where each pixel of the output comes from, (x, y) as OpenVINO counts: -1 and 1 are the outer edges, (n, rows, 2 columns).

    A place is linear in the row, row 0 plus row times a step, so the whole is a product of small matrices.
    """
    to_edges = np.zeros(8, np.float32)
    to_edges[[2, 5]] = 1 / size - 1  # pixel p lies at (2 p + 1) / size - 1
    scaled = ops.add(ops.multiply(transforms, np.float32(2 / size)), to_edges)
    of_transform = np.zeros((8, 2, size, 2), np.float32)  # (x' or y' of row 0, or its step) from a0, a1, a2, b0, b1, b2
    for coordinate, first in ((0, 0), (1, 3)):
        of_transform[first, 0, :, coordinate] = np.arange(size)
        of_transform[first + 2, 0, :, coordinate] = 1
        of_transform[first + 1, 1, :, coordinate] = 1
    start_and_step = ops.matmul(scaled, of_transform.reshape(8, -1), False, False)
    rows = np.stack([np.ones(size), np.arange(size)], axis=1).astype(np.float32)
    return ops.matmul(rows, ops.reshape(start_and_step, np.array([-1, 2, 2 * size]), special_zero=False), False, False)
