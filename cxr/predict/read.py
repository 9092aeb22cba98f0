"""Reading one file to be answered: grey levels at the network's size, a hash, and what speaks against its being a chest film."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.data.images.decode import decode_image
from cxr.data.images.files import read_file
from cxr.data.images.image_file import pixel_hash, shape_of
from cxr.data.images.limits import UnreadableImage
from cxr.errors import UserError

_IN_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")  # modes of Pillow
_COLOURFUL = 20  # grey levels between the channels of a pixel, on average; a tinted or annotated film has fewer
_LONGEST = 2.5  # sides of a film, one to the other
_FEWEST = 64  # pixels of the shorter side


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file. `reason` says why it can't be read; `odd` what speaks against a film; hashes are sha256 in hex.

    `pixels` is the hash of grey levels and size that names an image in manifests.
    """

    path: str
    sha256: str = ""
    pixels: str = ""
    width: int = 0
    height: int = 0
    odd: tuple[str, ...] = ()
    reason: str = ""


def read_images(files: Sequence[str], size: int) -> tuple[NDArray[np.uint8], list[InputFile]]:
    """Each file: grey levels (n, size, size, 1), black where it can't be read, and n facts."""
    pixels = np.zeros((len(files), *shape_of(size)), np.uint8)
    found = []
    for row, file in enumerate(files):
        grey, seen = _read(file, size)
        found.append(seen)
        if grey is not None:
            pixels[row] = grey
    return pixels, found


def content_hash(file: str) -> str:
    """The sha256 of a file's content, as `read_images` gives it: "" for a file that can't be read."""
    try:
        return hashlib.sha256(read_file(file)).hexdigest()
    except (OSError, ValueError):  # a name may hold a zero byte
        return ""


def _read(file: str, size: int) -> tuple[NDArray[np.uint8] | None, InputFile]:
    try:
        return read_content(file, read_file(file), size)
    except (OSError, ValueError) as error:  # a name may hold a zero byte
        return None, InputFile(file, reason=f"can't be read: {getattr(error, 'strerror', None) or error}")


def read_content(name: str, content: bytes, size: int) -> tuple[NDArray[np.uint8] | None, InputFile]:
    """The content of a file that is called `name`: grey levels (size, size, 1), None if it can't be read, and its facts."""
    digest = hashlib.sha256(content).hexdigest()
    try:
        decoded = decode_image(content)
    except MemoryError:
        raise UserError("memory ran out while an image was read: free some, and resume with --resume") from None
    except UnreadableImage as refused:
        return None, InputFile(name, digest, reason=str(refused))
    image = decoded.image
    odd = (*_shape(image.width, image.height), *(_colours(content) if decoded.mode in _IN_COLOUR else ()))
    grey = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))[:, :, None]
    return grey, InputFile(name, digest, pixel_hash(np.asarray(image)), image.width, image.height, odd)


def _shape(width: int, height: int) -> tuple[str, ...]:
    if min(width, height) < _FEWEST:
        return (f"{width} x {height} pixels are few for a film",)
    if max(width, height) > _LONGEST * min(width, height):
        return (f"{width} x {height} pixels is the shape of no chest film",)
    return ()


def _colours(content: bytes) -> tuple[str, ...]:
    """Whether the channels of a colour image differ as those of a photograph do."""
    with Image.open(BytesIO(content)) as image:
        image.draft("RGB", (64, 64))  # a JPEG is decoded small
        small = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR), np.int16)
    return ("in colours, like a photograph",) if np.ptp(small, axis=-1).mean() > _COLOURFUL else ()
