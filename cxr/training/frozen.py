"""The frozen part of a network as a function of image and view, with its cache key."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.config.fields import flat_params
from cxr.config.schema import BackboneConfig, Config
from cxr.data.images.image_file import DECODER
from cxr.data.views import Viewer
from cxr.data.warp import warp_version
from cxr.model.backbones.keras_file import file_sha256
from cxr.model.backbones.registry import describe
from cxr.model.partition import Partition, weights_hash
from cxr.model.resolve import pixels_of
from cxr.stages.basis import of_rows
from cxr.stages.table import Stage
from cxr.system import cores
from cxr.training.engine import Engine, Name, choose_engine, compute_all, engine_version, make_engine


class FrozenPart:
    """The layers below the freeze boundary: they never change, so each image and view is computed once."""

    def __init__(self, partition: Partition, viewer: Viewer, config: Config) -> None:
        self.partition, self.viewer, self.config = partition, viewer, config
        self.shape: tuple[int, ...] = tuple(partition.frozen.output.shape[1:])
        self.dtype = "float16" if config.training.precision == "mixed_float16" else "float32"
        self.engine_name = choose_engine(config.engine, config.training.precision)

    @cached_property
    def _engine(self) -> Engine:
        # All cores, also beside other jobs: those that need the same activations wait for these.
        return make_engine(self.engine_name, self.partition.frozen, self.dtype, self.config.training.threads or cores())

    @cached_property
    def _same_for_all_views(self) -> dict[str, Any]:
        return {**key_of(self.partition.frozen, self.config, self.engine_name), "boundary": self.partition.boundary}

    def use_tensorflow(self) -> None:
        """Compute with TensorFlow from now on; the cache key changes with it."""
        self.engine_name = "tensorflow"
        for computed in ("_engine", "_same_for_all_views"):
            self.__dict__.pop(computed, None)

    def cache_key(self, view: int | None) -> dict[str, Any]:
        """The cache key: everything that activations depend on, beside the pixels of the image."""
        augment = None
        if view is not None:
            drawn = of_rows(flat_params(self.config), Stage.VIEWS)
            augment = {"drawn": drawn, "seed": self.viewer.seed, "view": view, "warp": warp_version()}
            if self.viewer.backgrounds is not None:
                augment["backgrounds"] = self.viewer.backgrounds.fingerprint
        return {**self._same_for_all_views, "augment": augment}

    def compute(self, rows: NDArray[np.int64], view: int | None) -> Iterator[NDArray[Any]]:
        """Activations under a view, in order, in chunks (k, ...).

        Args:
            rows: (n,).

        Raises:
            EngineUnusable: The engine can't compute.
        """
        yield from compute_all(self._engine, self.engine_name, len(rows), lambda part: self.viewer.see(rows[part], view))


def key_of(frozen: keras.Model, config: Config, engine: Name) -> dict[str, Any]:
    """What values of a frozen part of a config's network depend on, beside the image, as JSON values."""
    backbone = config.backbone
    return {
        "decoder": DECODER,
        "image_size": backbone.image_size,
        **_pixels(backbone),
        "rests_on": of_rows(flat_params(config), Stage.NETWORK, Stage.FROZEN),
        "file": file_sha256(backbone),  # another activation has the same weights
        "weights": weights_hash(frozen),
        "engine": engine_version(engine),
    }


def _pixels(backbone: BackboneConfig) -> dict[str, Any]:
    """How grey levels reach the backbone."""
    if backbone.input_range is not None:
        return {"input_range": list(backbone.input_range)}
    pixels = pixels_of(backbone, describe(backbone).backbone)
    return {"scale": list(pixels.scale), "offset": list(pixels.offset)}
