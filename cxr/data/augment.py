"""Augmentations: a view of a training image is drawn from the seed and the pixels alone.

Each augmentation is a small function with the decorator `augmentation`, in the order in which they apply. To add one, append a
function. Its strength is the setting of the same name in `augment`, or `augment.more` for one that has no setting. Those of
this file share one stream of random numbers, in their order; one of another package has a stream of its own, so that no other
package changes its numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.config.extensions import AUGMENTATIONS as EXTENSIONS
from cxr.config.extensions import installed, load
from cxr.config.schema import FRESH, AugmentConfig
from cxr.errors import UserError
from cxr.text import nearest

Floats = NDArray[np.float64]
# Grey levels (n, size, size, 1) float32 to grey levels of the same shape; values outside 0..255 are clipped afterwards.
PixelFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class PixelTransform:
    """What one augmentation does to n images; None leaves that part unchanged.

    `linear` (n, 2, 2) maps places of the output, (x, y) from the centre, to places of the input. `shift` (n, 2) is added to
    those, in pixels. `gain` and `offset` (n,) act on grey levels around mid-grey. `pixels` changes the moved images. `onto` (n, 3)
    are numbers for `Backgrounds.put`, which comes before all else.
    """

    linear: Floats | None = None
    shift: Floats | None = None
    gain: Floats | None = None
    offset: Floats | None = None
    pixels: PixelFunction | None = None
    onto: Floats | None = None


@dataclass(frozen=True)
class Augmentation:
    """One way to change an image: `change` takes its strength, random numbers in -1..1, (n, draws), and the image size."""

    setting: str
    draws: int
    change: Callable[[float, Floats, int], PixelTransform]

    @property
    def stream(self) -> list[int]:
        """What its numbers depend on beside seed, view and pixels: its name, if it is of another package."""
        is_own = self.change.__module__ == __name__
        return [] if is_own else [int.from_bytes(sha256(self.setting.encode()).digest()[:8])]

    def strength(self, config: AugmentConfig) -> float:
        """How strong it is in a config; 0 is off."""
        return float(getattr(config, self.setting, config.more.get(self.setting, 0.0)))


AUGMENTATIONS: list[Augmentation] = []


def augmentation(
    setting: str, *, draws: int = 1, version: int = 1
) -> Callable[[Callable[[float, Floats, int], PixelTransform]], None]:
    """Register a function as the augmentation of a setting; packages may still give a `version`, but their content counts."""

    def register(change: Callable[[float, Floats, int], PixelTransform]) -> None:
        AUGMENTATIONS.append(Augmentation(setting, draws, change))

    return register


@augmentation("rotation_degrees")
def _rotate(degrees: float, draws: Floats, size: int) -> PixelTransform:
    angle = np.deg2rad(degrees) * draws[:, 0]
    cos, sin = np.cos(angle), np.sin(angle)
    return PixelTransform(linear=_matrices(cos, -sin, sin, cos))


@augmentation("translation", draws=2)
def _translate(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(shift=share * size * draws)


@augmentation("zoom")
def _zoom(share: float, draws: Floats, size: int) -> PixelTransform:
    scale = 1 + share * draws[:, 0]
    return PixelTransform(linear=_matrices(scale, 0.0, 0.0, scale))


@augmentation("shear_degrees")
def _shear(degrees: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(linear=_matrices(1.0, np.tan(np.deg2rad(degrees) * draws[:, 0]), 0.0, 1.0))


@augmentation("brightness")
def _brighten(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(offset=255 * share * draws[:, 0])


@augmentation("contrast")
def _change_contrast(share: float, draws: Floats, size: int) -> PixelTransform:
    return PixelTransform(gain=1 + share * draws[:, 0])


@augmentation("aspect")
def _stretch(share: float, draws: Floats, size: int) -> PixelTransform:
    wider = np.exp(share * draws[:, 0] / 2)
    return PixelTransform(linear=_matrices(wider, 0.0, 0.0, 1 / wider))


@augmentation("gamma")
def _expose(largest: float, draws: Floats, size: int) -> PixelTransform:
    exponents = np.exp(largest * draws)[:, :, None, None]
    return PixelTransform(pixels=lambda images: np.asarray(255 * (np.clip(images, 0, 255) / 255) ** exponents, np.float32))


@augmentation("resolution")
def _lose_pixels(share: float, draws: Floats, size: int) -> PixelTransform:
    sides = [max(4, round(size * (1 - share * max(draw, 0.0)))) for draw in draws[:, 0]]

    def change(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([image if side == size else _through(image, side) for image, side in zip(images, sides, strict=True)])

    return PixelTransform(pixels=change)


@augmentation("noise", draws=2)
def _add_noise(largest: float, draws: Floats, size: int) -> PixelTransform:
    levels, seeds = largest * np.abs(draws[:, 0]), ((draws[:, 1] + 1) * 2**40).astype(np.int64)

    def change(images: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = [np.random.Generator(np.random.Philox(int(seed))).standard_normal(images.shape[1:], np.float32) for seed in seeds]
        return np.asarray(images + levels[:, None, None, None] * np.stack(noise), np.float32)

    return PixelTransform(pixels=change)


_CORNER, _EDGE = (0.08, 0.3), (0.02, 0.12)  # smallest and largest part of the side that is covered


@augmentation("erase_corners", draws=24)
def _cover(share: float, draws: Floats, size: int) -> PixelTransform:
    chances = (draws + 1) / 2

    def change(images: NDArray[np.float32]) -> NDArray[np.float32]:
        covered = images.copy()
        for image, numbers in zip(covered, chances.reshape(-1, 8, 3), strict=True):
            for where, (happens, how_large, level) in enumerate(numbers):
                if happens < (share if where < 4 else share / 2):
                    image[_covered(where, how_large, size)] = 255 * level
        return covered

    return PixelTransform(pixels=change)


@augmentation("background", draws=4)
def _put_onto(share: float, draws: Floats, size: int) -> PixelTransform:
    chances = (draws + 1) / 2
    onto = chances[:, 1:].copy()
    onto[chances[:, 0] >= share, 0] = np.nan
    return PixelTransform(onto=onto)


def _covered(where: int, how_large: float, size: int) -> tuple[slice, slice]:
    """The pixels of a corner (0 to 3) or an edge (4 to 7)."""
    low, high = _CORNER if where < 4 else _EDGE
    wide = max(1, round(size * (low + how_large * (high - low))))
    start, end, whole = slice(0, wide), slice(size - wide, size), slice(0, size)
    corners = [(start, start), (start, end), (end, start), (end, end)]
    return [*corners, (start, whole), (end, whole), (whole, start), (whole, end)][where]


def _through(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """An image (size, size, 1) as it is left by `side` pixels a side."""
    size = (len(image), len(image))
    fewer = Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(fewer.resize(size, Image.Resampling.BILINEAR), np.float32)[..., None]


@dataclass(frozen=True)
class Views:
    """What to do to each image of a batch.

    `transforms` (n, 8) float32: rows (a0, a1, a2, b0, b1, b2, 0, 0) of the map from output to input pixels,
    x' = a0 x + a1 y + a2 and y' = b0 x + b1 y + b2. `gain` and `offset` (n,) float32 act on grey levels around mid-grey.
    `pixels` apply last, in order. `onto` (n, 3) are numbers for `Backgrounds.put`, or None.
    """

    transforms: NDArray[np.float32]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    pixels: list[PixelFunction] = field(default_factory=list)
    onto: Floats | None = None

    @property
    def exposes(self) -> bool:
        """Whether gain or offset changes a grey level."""
        return bool((self.gain != 1).any() or self.offset.any())


def check_augment(config: AugmentConfig) -> None:
    """Raise `UserError` for a name in `augment.more` that is no augmentation, or that has a setting of its own."""
    _register_installed(config)
    known = sorted({*(augmentation.setting for augmentation in AUGMENTATIONS), *installed(EXTENSIONS)})
    for name, strength in config.more.items():
        if hasattr(config, name):
            raise UserError(f"augment.more.{name} has a setting of its own: set augment.{name}")
        if name not in known:
            raise UserError(f"augment.more.{name} is not an augmentation: {nearest(name, known)}")
        if not isfinite(strength) or strength < 0:
            raise UserError(f"augment.more.{name}={strength} is not a strength: give a number of at least 0")


def _register_installed(config: AugmentConfig) -> None:
    """Import the augmentations of installed packages, all in the order of their names, where the config names one of them."""
    if set(config.more) & set(installed(EXTENSIONS)):
        for name in installed(EXTENSIONS):
            load(EXTENSIONS, name)


def changes_nothing(config: AugmentConfig) -> bool:
    """Whether every augmentation is off."""
    _register_installed(config)
    return not any(augmentation.strength(config) for augmentation in AUGMENTATIONS)


def view_of_epoch(augment: AugmentConfig, epoch: int) -> int | None:
    """Number of the view of each image in an epoch (from 0 over all phases): a new view, or one of `augment.views` in turn.

    None if nothing is augmented, so that views do not differ.

    >>> [view_of_epoch(AugmentConfig(zoom=0.1, views=views), 5) for views in ("fresh", "4")], view_of_epoch(AugmentConfig(), 5)
    ([5, 1], None)
    """
    if changes_nothing(augment):
        return None
    return epoch if augment.views == FRESH else epoch % int(augment.views)


def draw_views(config: AugmentConfig, size: int, seed: int, view: int, hashes: Sequence[str]) -> Views:
    """Draw view number `view` of each image, given by its pixel hash (sha256 in hex).

    A view depends on seed, number and pixels only: not on the other images of a batch or the number of threads. Each augmentation
    has its own numbers whether it is on or off, so that one more at the end changes no other; see `Augmentation.stream`.
    """

    def numbers(count: int, stream: list[int]) -> Floats:
        """Numbers in -1..1, (n, count)."""
        keys = [[seed, view, int(pixels[:16], 16), *stream] for pixels in hashes]
        return np.stack([np.random.Generator(np.random.Philox(key)).uniform(-1, 1, count) for key in keys])

    draws = numbers(sum(augmentation.draws for augmentation in AUGMENTATIONS if not augmentation.stream), [])
    n, one = len(draws), np.ones(len(draws))
    linear, shift, gain, offset, pixels = _matrices(one, 0.0, 0.0, 1.0), np.zeros((n, 2)), one, 0 * one, []
    onto: Floats | None = None
    start = 0
    for augmentation in AUGMENTATIONS:
        place, start = start, start + (0 if augmentation.stream else augmentation.draws)
        if not (strength := augmentation.strength(config)):
            continue
        own = numbers(augmentation.draws, augmentation.stream) if augmentation.stream else draws[:, place:start]
        change = augmentation.change(strength, own, size)
        linear = linear if change.linear is None else _times(linear, change.linear)
        shift = shift if change.shift is None else shift + change.shift
        gain = gain if change.gain is None else gain * change.gain
        offset = offset if change.offset is None else offset + change.offset
        pixels += [] if change.pixels is None else [change.pixels]
        onto = onto if change.onto is None else change.onto
    return Views(_transforms(linear, shift, (size - 1) / 2), gain.astype(np.float32), offset.astype(np.float32), pixels, onto)


def _matrices(*entries: Floats | float) -> Floats:
    """Matrices ((a, b), (c, d)) of each image, (n, 2, 2), from a, b, c and d."""
    return np.stack(np.broadcast_arrays(*entries), axis=-1).reshape(-1, 2, 2)


def _times(first: Floats, second: Floats) -> Floats:
    """Matrix products, (n, 2, 2), summed in one order on every machine."""
    return first[:, :, :1] * second[:, :1, :] + first[:, :, 1:] * second[:, 1:, :]


def _transforms(linear: Floats, shift: Floats, centre: float) -> NDArray[np.float32]:
    (a0, a1), (b0, b1) = linear[:, 0].T, linear[:, 1].T
    a2 = centre * (1 - a0 - a1) + shift[:, 0]
    b2 = centre * (1 - b0 - b1) + shift[:, 1]
    zero = np.zeros_like(a0)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)
