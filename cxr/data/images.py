"""From image files to pixels: decoded once, hashed, and resized to the network's size."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# What Pillow raises on damaged or absurd files, by format: https://pillow.readthedocs.io/en/stable/reference/Image.html
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class BadImage:
    """An image that can't be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Decoded:
    """One image at its own size: sha256 of its grey pixels in hex, and its size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Pixels:
    """Images that were read, in the order of their paths; `bad` holds those that were not."""

    paths: tuple[str, ...]
    images: NDArray[np.uint8]  # (n, size, size, 1), 0..255
    facts: tuple[Decoded, ...]
    bad: tuple[BadImage, ...]


def read_images(root: Path, paths: tuple[str, ...], size: int, on_progress: Callable[[int, int], None]) -> Pixels:
    """Read every path below `root` as grey levels, resized to `size` x `size` (bilinear, area-averaged when shrinking).

    Uses all cores; the result does not depend on how many. Bad images are left out and listed.
    """
    images = np.empty((len(paths), size, size, 1), np.uint8)

    def read_one(index: int) -> Decoded | BadImage:
        try:
            grey = load_grey(root / paths[index])
        except _UNREADABLE as error:
            return BadImage(paths[index], _reason(error))
        images[index, :, :, 0] = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR))
        digest = hashlib.sha256(f"{grey.width}x{grey.height}:".encode() + grey.tobytes()).hexdigest()
        return Decoded(digest, grey.width, grey.height)

    results: list[Decoded | BadImage] = []
    with ThreadPoolExecutor() as pool:
        for result in pool.map(read_one, range(len(paths))):
            results.append(result)
            on_progress(len(results), len(paths))
    kept = [index for index, result in enumerate(results) if isinstance(result, Decoded)]
    return Pixels(
        paths=tuple(paths[index] for index in kept),
        images=images if len(kept) == len(paths) else images[kept],
        facts=tuple(result for result in results if isinstance(result, Decoded)),
        bad=tuple(result for result in results if isinstance(result, BadImage)),
    )


def load_grey(path: Path) -> Image.Image:
    """Decode one file to 8-bit grey (mode L). 16-bit files are scaled from 0..65535. Raises what Pillow raises."""
    with Image.open(path) as image:
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image, np.float64)
            return Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
        return image.convert("L")


def _reason(error: BaseException) -> str:
    text = str(error).split("'/")[0].strip() or type(error).__name__
    return "not an image that can be recognised" if "cannot identify" in text else text
