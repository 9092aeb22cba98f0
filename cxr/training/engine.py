"""Engines: the library that computes the frozen part, from batches of images to activations in the same order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from cxr.config.schema import EngineConfig
from cxr.system import compile_on_cpu, openvino_core

Name = Literal["openvino", "tensorflow"]
# Images at once: what each library was measured to be fastest with on a CPU. Every batch has this size, so an image's values
# do not depend on the number of images.
BATCHES: dict[Name, int] = {"openvino": 2, "tensorflow": 8}
# On a GPU a batch has to be large enough to keep it busy (scripts/bench gpu).
GPU_BATCH = 128
_LOOK_AHEAD = 128  # images that are read at once, so that all cores have some; whole batches of every engine
# How far OpenVINO's activations may be from TensorFlow's, as a share of the largest of them: several times what rounding does.
_TOLERANCE = 1e-4
# Grey levels (batch, size, size, 1) float32, batch by batch, to activations (batch, ...) in the same order.
Engine = Callable[[Iterable[NDArray[np.float32]]], Generator[NDArray[Any], None, None]]


class EngineUnusable(Exception):
    """The library can't compute this network, or computes other values; the message says why."""


def on_gpu() -> bool:
    """Whether TensorFlow has a GPU in this process."""
    return bool(tf.config.list_physical_devices("GPU"))


def batch_of(name: Name) -> int:
    """How many images the library is given at once on this machine."""
    return GPU_BATCH if name == "tensorflow" and on_gpu() else BATCHES[name]


def in_batches(grey: NDArray[np.float32], name: Name) -> NDArray[np.float32]:
    """Grey levels in the library's batches, (k, batch, size, size, 1), the last one filled up with black.

    Args:
        grey: (n, size, size, 1), 0 to 255.
    """
    batch = batch_of(name)
    filled = np.concatenate([grey, np.zeros((-len(grey) % batch, *grey.shape[1:]), np.float32)])
    return filled.reshape(-1, batch, *grey.shape[1:])


def compute_all(
    engine: Engine, name: Name, count: int, read: Callable[[slice], NDArray[np.float32]]
) -> Generator[NDArray[Any], None, None]:
    """Activations of `count` images in order, in chunks (k, ...); `read` gives grey levels (k, size, size, 1) of a slice of them.

    Raises:
        EngineUnusable: The library can't compute.
    """
    parts = [slice(start, start + _LOOK_AHEAD) for start in range(0, count, _LOOK_AHEAD)]
    left = count
    for activations in engine(chain.from_iterable(in_batches(read(part), name) for part in parts)):
        yield activations[:left]
        left -= len(activations)


def choose_engine(engine: EngineConfig, precision: str) -> Name:
    """The library that `engine` means on this machine: TensorFlow has GPUs and mixed precision, OpenVINO is fast on a CPU."""
    if engine.name != "auto":
        return "openvino" if engine.name == "openvino" else "tensorflow"
    if precision != "float32" or on_gpu() or find_spec("openvino") is None:
        return "tensorflow"
    return "openvino"


def engine_version(name: Name) -> str:
    """Name and version of the library, and its device: another one may compute other last digits."""
    return f"{name} {metadata.version(name)}{' on a GPU, no TF32' if name == 'tensorflow' and on_gpu() else ''}"


def make_engine(name: Name, frozen: keras.Model, dtype: str, threads: int) -> Engine:
    """An engine for the frozen part `frozen`, from grey levels (n, size, size, 3) to activations of type `dtype`.

    OpenVINO's first batch is checked against TensorFlow; where they differ, the engine raises the same error.

    Raises:
        EngineUnusable: OpenVINO can't compile the network.
    """
    if name == "openvino":
        graph = constant_graph(frozen, dtype, BATCHES["openvino"])
        return _checked(_openvino(compile_openvino(graph, threads)), graph)
    graph = constant_graph(frozen, dtype, batch_of("tensorflow"))
    return lambda batches: (graph(tf.constant(batch))[0].numpy() for batch in batches)


def constant_graph(frozen: keras.Model, dtype: str, batch: int) -> Any:
    """The frozen part as one TensorFlow function with constant weights, which both libraries run faster than Keras does."""
    size = frozen.input.shape[1]

    def forward(grey: tf.Tensor) -> tf.Tensor:
        return tf.cast(frozen(tf.repeat(grey, 3, axis=-1), training=False), dtype)

    compiled = tf.function(forward, input_signature=[tf.TensorSpec((batch, size, size, 1), tf.float32)], autograph=False)
    return convert_variables_to_constants_v2(compiled.get_concrete_function())


def compile_openvino(graph: Any, threads: int) -> Any:
    """A constant graph as OpenVINO's compiled model, in float32.

    A stream for each thread: with its own hint for throughput the library takes half as many, and is a third slower. Threads are
    not pinned, since two runs on one machine would be pinned to the same cores. The graph goes through a file to the library's own
    reader: its Python converter would send usage statistics.

    Raises:
        EngineUnusable: OpenVINO can't compile it.
    """
    core = openvino_core()
    with graph_file(graph) as path:
        speed = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": str(threads), "ENABLE_CPU_PINNING": False}
        try:
            return compile_on_cpu(core.read_model(path), speed)
        except RuntimeError as why:
            reasons = [line.lstrip("- ") for line in str(why).splitlines() if line.strip() and "https://" not in line]
            raise EngineUnusable(f"OpenVINO can't compile it: {reasons[-1][:200]}") from why


@contextmanager
def graph_file(graph: Any) -> Iterator[Path]:
    """A constant graph in a file for OpenVINO's reader, gone after the block."""
    with TemporaryDirectory(prefix="cxr-") as folder:
        path = Path(folder) / "frozen.pb"
        path.write_bytes(graph.graph.as_graph_def().SerializeToString())
        yield path


def _checked(engine: Engine, graph: Any) -> Engine:
    """The engine, once its first batch has agreed with TensorFlow's values of the same graph."""
    agreed = False

    def compute(batches: Iterable[NDArray[np.float32]]) -> Generator[NDArray[Any], None, None]:
        nonlocal agreed
        coming = iter(batches)
        if not agreed and (first := next(coming, None)) is not None:
            values, expected = next(engine([first])), graph(tf.constant(first))[0].numpy()
            if not np.allclose(values, expected, rtol=0, atol=_TOLERANCE * np.abs(expected).max(), equal_nan=True):
                off = np.abs(values - expected).max() / np.abs(expected).max()
                raise EngineUnusable(f"OpenVINO's activations differ from TensorFlow's by {off:.1g} of the largest")
            agreed, coming = True, chain([first], coming)
        yield from engine(coming)

    return compute


def _openvino(compiled: Any) -> Engine:
    idle = [compiled.create_infer_request() for _ in range(2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))]

    def compute(batches: Iterable[NDArray[np.float32]]) -> Generator[NDArray[Any], None, None]:
        requests, at_work = list(idle), deque[Any]()

        def finish() -> NDArray[Any]:
            request = at_work.popleft()
            request.wait()
            requests.append(request)
            return np.array(request.get_output_tensor().data)

        try:
            for batch in batches:
                if not requests:
                    yield finish()
                at_work.append(requests.pop(0))
                at_work[-1].start_async([batch])
            while at_work:
                yield finish()
        finally:  # a caller that stops early leaves no busy request
            for request in at_work:
                request.wait()

    return compute
