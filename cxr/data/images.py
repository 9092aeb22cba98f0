"""From one image file to pixels: decoded, hashed, and resized to the network's size."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from cxr.errors import Mistake

DECODER = f"grey, bilinear, pillow {PIL.__version__}"  # all that decides, beside the file, what its pixels are

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


def decode(content: bytes, size: int) -> tuple[NDArray[np.uint8], Decoded | str]:
    """Grey levels of one file's content, (size, size, 1), and what is known of it; or zeros, and why it can't be read.

    Resized bilinearly, area-averaged when shrinking.
    """
    try:
        grey = load_grey(BytesIO(content))
    except _UNREADABLE as error:
        return np.zeros((size, size, 1), np.uint8), _reason(error)
    digest = hashlib.sha256(f"{grey.width}x{grey.height}:".encode() + grey.tobytes()).hexdigest()
    resized = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR))
    return resized[:, :, None], Decoded(digest, grey.width, grey.height)


@dataclass(frozen=True)
class Content:
    """A file, and the sha256 in hex that its content had when it was looked at."""

    file: Path
    sha256: str


def contents_of(files: Sequence[Path]) -> list[Content | OSError]:
    """Each file with the hash of its content, or why it can't be read."""
    found: list[Content | OSError] = []
    for file in files:
        try:
            found.append(Content(file, _hash(file.read_bytes())))
        except OSError as error:
            found.append(error)
    return found


def decode_contents(contents: Sequence[Content], size: int) -> tuple[NDArray[np.uint8], list[Decoded | str]]:
    """What `decode` makes of each: (n, size, size, 1), and n facts. Raises `Mistake` for a file that has changed."""
    pixels, facts = np.empty((len(contents), size, size, 1), np.uint8), []
    for row, looked_at in enumerate(contents):
        try:
            content = looked_at.file.read_bytes()
        except OSError:
            content = b""
        if _hash(content) != looked_at.sha256:
            raise Mistake(f"{looked_at.file} changed while it was being read: start again when nothing writes there any more")
        pixels[row], fact = decode(content, size)
        facts.append(fact)
    return pixels, facts


def load_grey(file: Path | BytesIO) -> Image.Image:
    """Decode one file to 8-bit grey (mode L). 16-bit files are scaled from 0..65535. Raises what Pillow raises."""
    with Image.open(file) as image:
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image, np.float64)
            return Image.fromarray(np.clip(values / 257, 0, 255).round().astype(np.uint8))
        return image.convert("L")


def _reason(error: BaseException) -> str:
    text = str(error).split("'/")[0].strip() or type(error).__name__
    return "not an image that can be recognised" if "cannot identify" in text else text


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
