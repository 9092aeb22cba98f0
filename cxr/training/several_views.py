"""Test-time augmentation: the mean of the probabilities that a saved model gives to several views of an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig, Config
from cxr.data.views import Viewer
from cxr.training.trained_model import SavedTrainedModel, open_model

# Small enough that a radiographer could have taken either view; no flips, as the heart is on one side.
VIEWS = AugmentConfig(name="views", rotation_degrees=5, translation=0.03, zoom=0.03)
_SEED = 0  # a view follows from the pixels of its image, so it is the same in every run


def mean_over_views(
    model: Path | SavedTrainedModel,
    images: Rows,
    hashes: Sequence[str],
    rows: NDArray[np.int64],
    config: Config,
) -> NDArray[np.float64]:
    """Probabilities, (n, classes), as the mean over `evaluation.views` views of each image.

    The first view is the image as it is.

    Args:
        model: a file, or opened.
        hashes: of the pixels of each image.
        rows: (n,), of `images`.
    """
    opened = open_model(model, config) if isinstance(model, Path) else model
    viewer = Viewer(images, hashes, VIEWS, _SEED)
    views = [None, *range(config.evaluation.views - 1)]
    probabilities = np.mean([opened.score(np.rint(viewer.see(rows, view)).astype(np.uint8))[0] for view in views], axis=0)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))
