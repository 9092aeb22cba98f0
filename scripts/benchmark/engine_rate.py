"""The speed of the frozen part inside cxr, compared with the same engine on random input."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contest import Images

from cxr.config.schema import AugmentConfig, BackboneConfig, Config, EngineConfig
from cxr.data.sources.folders import find_images
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow


@dataclass(frozen=True)
class EngineRates:
    """Images a second, medians."""

    alone: float  # the engine's own asynchronous queue on random input
    as_they_are: float  # cxr, decoded images to activations
    moved: float  # the same with light augmentation


def engine_rates(images: Images, count: int, repeats: int) -> EngineRates:
    """Measure OpenVINO up to the pooled vector, the three ways in turn."""
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
    found = find_images(Config().data, images.root)
    pixels = read_images(found.root, found.paths[:: max(1, len(found.paths) // count)][:count], images.size, Progress().stage)
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

    ways: tuple[Callable[[], None], ...] = (alone, in_cxr(None), in_cxr(0))
    for way in ways:
        way()
    times = [[_seconds(way) for way in ways] for _ in range(repeats)]
    return EngineRates(*(len(rows) / statistics.median(of_way) for of_way in zip(*times, strict=True)))


def _seconds(way: Callable[[], None]) -> float:
    started = time.perf_counter()
    way()
    return time.perf_counter() - started
