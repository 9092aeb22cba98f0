"""Images unlike the others of their set, each with the property that is far off."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.data.images.properties import PROPERTIES, properties
from cxr.system import cores

_AT_ONCE = 128  # images
_FAR = 3.5  # robust standard deviations from the median
_LOOKED_AT = {**{name: PROPERTIES[name] for name in ("brightness", "contrast", "border", "sharpness")}, "shape": "width / height"}
LEVELS = 32  # bins of grey levels


@dataclass(frozen=True)
class UnusualImage:
    """A row of the manifest, and why it is unusual."""

    row: int
    reason: str


def measured(images: Rows) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The properties of images (n, size, size, 1), a row each, and how many of their pixels have each of 32 grey levels (n, 32)."""
    starts = range(0, len(images), _AT_ONCE)
    with ThreadPoolExecutor(cores()) as pool:
        parts = list(pool.map(lambda start: _measured(images[np.arange(start, min(start + _AT_ONCE, len(images)))]), starts))
    return pd.concat([table for table, _ in parts], ignore_index=True), np.concatenate([levels for _, levels in parts])


def _measured(images: NDArray[np.uint8]) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    levels = [np.bincount(image.ravel() // (256 // LEVELS), minlength=LEVELS) for image in images]
    return properties(images), np.stack(levels)


def unusual_images(manifest: pd.DataFrame, measures: pd.DataFrame, most: int) -> list[UnusualImage]:
    """Up to `most` images with a property at least 3.5 robust standard deviations from the median, the farthest first.

    The robust deviation is 1.4826 times the median of distances from the median; a property that most images have in common has
    none.

    Args:
        manifest: Columns width and height.
        measures: The columns of `cxr.data.images.properties`, row by row those of the manifest.
        most: Images.

    Source:
        Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993), the modified z-score.
    """
    table = measures.assign(shape=manifest["width"] / manifest["height"])[list(_LOOKED_AT)]
    middle = table.median()
    spread = 1.4826 * (table - middle).abs().median()
    far = ((table - middle).abs() / spread.where(spread > 0)).fillna(0)
    worst = far.max(axis=1).sort_values(ascending=False, kind="stable")
    rows = worst[worst >= _FAR].index[:most]
    return [UnusualImage(int(row), _reason(far.columns[far.loc[row].argmax()], table, int(row))) for row in rows]


def _reason(name: str, table: pd.DataFrame, row: int) -> str:
    low, high = table[name].quantile([0.25, 0.75])
    return f"{_LOOKED_AT[name]} {table[name].to_numpy()[row]:.3g}; half of all images have {low:.3g} to {high:.3g}"
