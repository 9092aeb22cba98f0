"""Simple properties of decoded images, which show how two sets of images differ without any network."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.cache.memoized import memoized_by_content

# What each column is.
PROPERTIES = {
    "brightness": "mean grey level",
    "contrast": "standard deviation of grey levels",
    "black": "share of pixels below 10",
    "white": "share of pixels above 245",
    "border": "mean grey level of the outer tenth",
    "sharpness": "mean absolute difference of neighbouring pixels",
}


@memoized_by_content(lambda images: images, most=4)
def properties(images: NDArray[np.uint8]) -> pd.DataFrame:
    """The `PROPERTIES` of images: a row each, in grey levels from 0 to 255 or shares from 0 to 1.

    Args:
        images: (n, size, size, 1).

    >>> properties(np.full((1, 20, 20, 1), 255, np.uint8)).loc[0, ["brightness", "white", "sharpness"]].tolist()
    [255.0, 1.0, 0.0]
    """
    grey = images[..., 0].astype(np.float32)
    edge = max(1, grey.shape[1] // 10)
    frame = np.ones(grey.shape[1:], bool)
    frame[edge:-edge, edge:-edge] = False
    steps = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    columns = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "black": (grey < 10).mean(axis=(1, 2)),
        "white": (grey > 245).mean(axis=(1, 2)),
        "border": grey[:, frame].mean(axis=1),
        "sharpness": steps / 2,
    }
    return pd.DataFrame({name: np.asarray(values, np.float64) for name, values in columns.items()}, columns=list(PROPERTIES))
