"""Traits of an image outside the lungs, from which no class should be told: corners, marks, border, exposure, sharpness, file."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cxr.audit.regions import Images, Masks, frame, marks_in, thumbnails
from cxr.cache.memoized import memoized_by_content
from cxr.system import cores

Features = NDArray[np.float64]  # (n, d)

# What each trait is, in words; a marker of the side is in the corners.
TRAITS = {
    "corners": "the four corners, with markers and text",
    "marks": "small bright marks beside the lungs, like text",
    "border": "the outer frame",
    "exposure": "brightness and contrast outside the lungs",
    "resolution": "sharpness outside the lungs",
    "thumbnail_8": "the image at 8 x 8 pixels",
    "thumbnail_16": "the image at 16 x 16 pixels",
    "mask": "where the lungs are and how large",
    "file": "width, height and colour mode of the file",
    "jpeg": "traces of JPEG compression in the file",
}
# Those that name a shortcut; thumbnails and masks hold the disease too, and files may all be alike.
NAMED = ("corners", "marks", "border", "exposure", "resolution", "file", "jpeg")
_CORNER, _FRAME = 0.2, 1 / 16  # shares of the side


@memoized_by_content(lambda images, masks, files, names=tuple(TRAITS): (images, masks, files.to_csv(), sorted(names)), most=4)
def traits(images: Images, masks: Masks, files: pd.DataFrame, names: Collection[str] = tuple(TRAITS)) -> dict[str, Features]:
    """The features of each of the named `TRAITS` of images (n, size, size, 1).

    `files` has width, height and mode of each row, and `blocks_across` and `blocks_down` (`cxr.data.images.compression`).
    """
    inner = _inner(images.shape[1])
    outside = ~masks & inner
    outside[~outside.any(axis=(1, 2))] = inner  # a mask that leaves nothing
    found: dict[str, Callable[[], Features]] = {
        "corners": lambda: _corners(images),
        "marks": lambda: _marks(images, masks),
        "border": lambda: _border(images),
        "exposure": lambda: _exposure(images, outside),
        "resolution": lambda: _resolution(images, outside),
        "thumbnail_8": lambda: thumbnails(images, 8).astype(np.float64),
        "thumbnail_16": lambda: thumbnails(images, 16).astype(np.float64),
        "mask": lambda: _mask(masks),
        "file": lambda: _file(files),
        "jpeg": lambda: files[["blocks_across", "blocks_down"]].to_numpy(np.float64),
    }
    with ThreadPoolExecutor(cores()) as pool:  # SciPy and Pillow work without Python's lock
        coming = {name: pool.submit(found[name]) for name in TRAITS if name in names}
        return {name: each.result() for name, each in coming.items()}


def _inner(size: int) -> NDArray[np.bool_]:
    """An image without its corners and its frame."""
    edge = max(1, round(size * _CORNER))
    found = ~frame(size, 1.5 * _FRAME)
    for rows in (slice(None, edge), slice(-edge, None)):
        for columns in (slice(None, edge), slice(-edge, None)):
            found[rows, columns] = False
    return found


def _corners(images: Images) -> Features:
    edge = max(2, round(images.shape[1] * _CORNER))
    skipped = max(1, round(images.shape[1] * _FRAME / 2))  # of the frame, which is a trait of its own
    near, far = slice(skipped, edge), slice(-edge, -skipped)
    pieces = [images[:, rows, columns] for rows in (near, far) for columns in (near, far)]
    return np.concatenate([thumbnails(np.ascontiguousarray(each), 6) for each in pieces], axis=1).astype(np.float64)


def _marks(images: Images, masks: Masks) -> Features:
    """The share of small bright marks in each of nine parts of the image, beside the lungs."""
    marks = marks_in(images) & ~masks
    rows = [part for band in np.array_split(marks, 3, axis=1) for part in np.array_split(band, 3, axis=2)]
    return np.stack([part.mean(axis=(1, 2)) for part in rows], axis=1)


def _border(images: Images) -> Features:
    """Mean and spread of the strip along each edge, at two widths."""
    grey, found = images[..., 0].astype(np.float64), []
    for width in (max(1, round(images.shape[1] * _FRAME / 2)), max(2, round(images.shape[1] * _FRAME))):
        strips = (grey[:, :width], grey[:, -width:], grey[:, :, :width], grey[:, :, -width:])
        found += [value(each, axis=(1, 2)) for each in strips for value in (np.mean, np.std)]
    return np.stack(found, axis=1)


def _exposure(images: Images, outside: Masks) -> Features:
    """Deciles of grey levels."""
    levels = np.linspace(0.1, 0.9, 9)
    return np.stack([np.quantile(image[where], levels) for image, where in zip(images[..., 0], outside, strict=True)])


def _resolution(images: Images, outside: Masks) -> Features:
    """How much of what is fine is lost at each of three blurs, as logarithms of ratios: free of brightness and contrast."""
    found = []
    for image, where in zip(images[..., 0].astype(np.float32), outside, strict=True):
        levels = [image, *(gaussian_filter(image, sigma) for sigma in (0.7, 1.4, 2.8))]
        energy = [np.abs(fine - coarse)[where].mean() + 1e-3 for fine, coarse in pairwise(levels)]
        found.append([np.log(energy[0] / energy[1]), np.log(energy[1] / energy[2])])
    return np.asarray(found)


def _mask(masks: Masks) -> Features:
    """Area, and the shares of rows and columns that the lungs fill."""
    by_row, by_column = masks.mean(axis=2), masks.mean(axis=1)
    pieces = [*np.array_split(by_row, 8, axis=1), *np.array_split(by_column, 8, axis=1)]
    return np.stack([masks.mean(axis=(1, 2)), *(each.mean(axis=1) for each in pieces)], axis=1)


def _file(files: pd.DataFrame) -> Features:
    modes = pd.get_dummies(files["mode"]).to_numpy(np.float64)
    width, height = (files[name].to_numpy(np.float64) for name in ("width", "height"))
    return np.column_stack([np.log(width), np.log(height), np.log(width / height), modes])
