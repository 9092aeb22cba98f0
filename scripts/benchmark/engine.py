"""The speed of the frozen part inside cxr, compared with the same engine on random input."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measure import GFLOP_AN_IMAGE, Images, Options, add_row, seconds_of, table
from rich.table import Table

from cxr.config.schema import AugmentConfig, BackboneConfig, Config, EngineConfig
from cxr.data.sources.folders import find_images
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

_COUNT = 1000  # images


def answer(options: Options) -> Iterator[Table]:
    """Images a second of each way, and their share of the engine alone."""
    rates = _rates(options.images, options.args.repeats)
    result = table("The frozen part up to the pooled vector", "images/s", "of the engine alone")
    alone, *_ = rates.values()
    for name, rate in rates.items():
        add_row(result, name, f"{rate:.0f}", f"{rate / alone:.2f}")
    if options.images.size == 224:
        result.add_row("limit: matrix products", f"{options.matrix_rate / GFLOP_AN_IMAGE:.0f}", "")
    yield result


def _rates(images: Images, repeats: int) -> dict[str, float]:
    """Images a second of OpenVINO up to the pooled vector, the three ways in turn; medians."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    from openvino import AsyncInferQueue

    from cxr.data.images.store import read_images
    from cxr.data.views import Viewer
    from cxr.model.network import build_network
    from cxr.model.partition import partition
    from cxr.model.weights import Weights
    from cxr.progress import Progress
    from cxr.training.engine import BATCHES, compile_openvino, constant_graph
    from cxr.training.frozen import FrozenPart

    backbone = BackboneConfig(image_size=images.size, alpha=images.alpha)
    parts = partition(build_network(backbone, 3, Weights(path=Path(images.weights))), "pooled")
    assert parts is not None
    listed = find_images(Config().data, images.root)
    paths = listed.paths[:: max(1, len(listed.paths) // _COUNT)][:_COUNT]
    pixels = read_images(listed.root, paths, images.size, Progress().stage)
    augment = AugmentConfig(rotation_degrees=9, translation=0.05, zoom=0.05)
    viewer = Viewer(pixels.images, tuple(fact.sha256 for fact in pixels.facts), augment, 0)
    frozen = FrozenPart(parts, viewer, Config(engine=EngineConfig("openvino"), backbone=backbone))
    compiled = compile_openvino(constant_graph(parts.frozen, "float32", BATCHES["openvino"]), cores())
    queue = AsyncInferQueue(compiled, 2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))  # as many as in cxr
    batch = BATCHES["openvino"]
    noise = np.random.default_rng(0).uniform(0, 255, (batch, images.size, images.size, 1)).astype(np.float32)
    rows = np.arange(len(pixels.facts))

    def alone() -> None:
        for _ in range(-(-len(rows) // batch)):
            queue.start_async([noise])
        queue.wait_all()

    def in_cxr(view: int | None) -> Callable[[], None]:
        return lambda: [None for _ in frozen.compute(rows, view)].clear()

    ways: dict[str, Callable[[], None]] = {
        "OpenVINO alone, its asynchronous queue on random input": alone,
        "in cxr, images as they are": in_cxr(None),
        "in cxr, moved images": in_cxr(0),
    }
    for way in ways.values():
        way()
    times = [[seconds_of(way) for way in ways.values()] for _ in range(repeats)]
    return {name: len(rows) / statistics.median(seconds) for name, seconds in zip(ways, zip(*times, strict=True), strict=True)}
