"""Views of an image in which some regions are filled: lungs alone, all but the lungs, the border, the shape of the lungs.

After Sourget et al., "Mask of Truth" (2024). The shape of what is filled could be a signal of its own: so there are several ways to
fill, and masks of other images as a control.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, grey_opening

Images = NDArray[np.uint8]  # (n, size, size, 1)
Masks = NDArray[np.bool_]  # (n, size, size)

FILLS = ("mean", "noise", "surroundings")
_CENTRE = 0.7  # of the side of an image: the box that is filled in `centre_removed`
_BORDER = 1 / 12  # of the side: the frame that is left in `border_only`
_STROKE, _STANDS_OUT = 1 / 28, 40  # widest stroke of a mark as a share of the side, and grey levels over what is around it

REGIONS = {
    "full": "the whole image",
    "lungs_only": "lungs only",
    "lungs_removed": "lungs removed",
    "others_removed": "the same area removed, of another image's lungs (control)",
    "centre_removed": "centre box removed",
    "border_only": "border only",
    "other_surroundings": "lungs on the background of another class",
    "mask_shape": "the shape of the lungs, in white on black",
}


def region_of(name: str, images: Images, masks: Masks, fill: str = "mean", seed: int = 0) -> Images:
    """The images in one of the `REGIONS` but `other_surroundings`, (n, size, size, 1), filled in one of the `FILLS`.

    Args:
        images: (n, size, size, 1).
        masks: (n, size, size), true in the lungs.
        seed: the same seed gives the same noise.
    """
    if name == "full":
        return images
    if name == "mask_shape":
        return np.asarray(255 * masks[..., None], np.uint8)
    rng = np.random.default_rng(seed)
    return filled(images, _HIDDEN[name](masks, rng), fill, rng)


def filled(images: Images, hidden: Masks, fill: str, rng: np.random.Generator) -> Images:
    """The images, (n, size, size, 1), with pixels filled from those that are left.

    By their mean, by noise like them, or by a smooth copy.

    Args:
        images: (n, size, size, 1).
        hidden: (n, size, size), the pixels to fill.
    """
    grey: NDArray[np.float32] = images[..., 0].astype(np.float32)
    for image, where in zip(grey, hidden, strict=True):
        if where.all() or not where.any():
            image[where] = 128
            continue
        kept = image[~where]
        if fill == "mean":
            image[where] = kept.mean()
        elif fill == "noise":
            image[where] = rng.normal(kept.mean(), kept.std(), int(where.sum()))
        else:
            image[where] = _smoothed(image, ~where)[where]
    return np.asarray(np.round(np.clip(grey, 0, 255)), np.uint8)[..., None]


def thumbnails(images: Images, size: int) -> NDArray[np.float32]:
    """Each image at `size` x `size` pixels, (n, size * size), grey levels from 0 to 1.

    Args:
        images: (n, side, side, 1).
    """
    small = [np.asarray(Image.fromarray(image[..., 0]).resize((size, size), Image.Resampling.BOX)) for image in images]
    return np.asarray(np.stack(small).reshape(len(images), -1) / 255, np.float32)


def frame(size: int, width: float) -> NDArray[np.bool_]:
    """True in a frame of an image, (size, size), whose width is a share of its side; at least one pixel."""
    edge = max(1, round(size * width))
    inside = np.ones((size, size), bool)
    inside[edge:-edge, edge:-edge] = False
    return inside


def corners(size: int, edge: float) -> NDArray[np.bool_]:
    """True in a square of `edge` pixels in each corner of an image, (size, size)."""
    near = np.minimum(np.arange(size), np.arange(size)[::-1]) < edge
    return np.asarray(near[:, None] & near)


def marks_in(images: Images) -> Masks:
    """Small marks that are brighter than what is around them, like letters, (n, size, size): a white top-hat above a limit.

    Args:
        images: (n, size, size, 1).
    """
    width = max(5, round(images.shape[1] * _STROKE) | 1)
    grey = images[..., 0].astype(np.int16)
    return np.asarray(grey - grey_opening(grey, size=(1, width, width)) > _STANDS_OUT)


def _smoothed(image: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A blurred copy that only pixels that are kept enter (normalised convolution: Knutsson and Westin 1993).

    Large images are blurred at 64 x 64 pixels, which is fine enough for the width of the blur, a twelfth of the side.
    """
    size = len(image)
    small = 64 if size >= 128 else size
    seen, weights = (_resized(array, small) for array in (np.where(kept, image, 0), kept.astype(np.float32)))
    blurred, known = gaussian_filter(seen, small / 12), gaussian_filter(weights, small / 12)
    smooth = np.where(known > 1e-3, blurred / np.maximum(known, 1e-3), image[kept].mean())
    return _resized(smooth.astype(np.float32), size)


def _resized(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return image if len(image) == size else np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _shuffled(masks: Masks, rng: np.random.Generator) -> Masks:
    """The masks of other images: none keeps its own."""
    order, shuffled = rng.permutation(len(masks)), np.empty_like(masks)
    shuffled[order] = masks[np.roll(order, 1)]
    return shuffled


_HIDDEN: dict[str, Callable[[Masks, np.random.Generator], Masks]] = {
    "lungs_only": lambda masks, rng: ~masks,
    "lungs_removed": lambda masks, rng: masks,
    "others_removed": _shuffled,
    "centre_removed": lambda masks, rng: np.broadcast_to(~frame(masks.shape[1], (1 - _CENTRE) / 2), masks.shape),
    "border_only": lambda masks, rng: np.broadcast_to(~frame(masks.shape[1], _BORDER), masks.shape),
}
