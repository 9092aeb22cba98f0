"""Reading of files to be answered: grey levels at the network's size, hashes, and what speaks against a chest radiograph."""

import hashlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.data.images.decode import decode_image
from cxr.data.images.files import read_file
from cxr.data.images.image_file import pixel_hash, shape_of
from cxr.data.images.limits import UnreadableImage
from cxr.errors import UserError
from cxr.predict.answer import Answer

_IN_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")  # modes of Pillow
_COLOURFUL = 20  # grey levels between the channels of a pixel, on average; a tinted or annotated radiograph has fewer
_LONGEST = 2.5  # sides of a radiograph, one to the other
_FEWEST = 64  # pixels of the shorter side


def read_images(files: Sequence[str], size: int, grey: str = "auto") -> tuple[NDArray[np.uint8], list[Answer]]:
    """Grey levels (n, size, size, 1), black where a file can't be read, and n answers, not scored yet, with reasons and flags."""
    pixels = np.zeros((len(files), *shape_of(size)), np.uint8)
    answers = []
    for row, file in enumerate(files):
        try:
            levels, answer = read_content(file, read_file(file), size, grey)
        except (OSError, ValueError) as error:  # a name may hold a zero byte
            levels, answer = None, Answer(file, reason=f"can't be read: {getattr(error, 'strerror', None) or error}")
        answers.append(answer)
        if levels is not None:
            pixels[row] = levels
    return pixels, answers


def content_hash(file: str) -> str:
    """The sha256 of a file's content, as `read_images` gives it: "" for a file that can't be read."""
    try:
        return hashlib.sha256(read_file(file)).hexdigest()
    except (OSError, ValueError):  # a name may hold a zero byte
        return ""


def read_content(name: str, content: bytes, size: int, grey: str) -> tuple[NDArray[np.uint8] | None, Answer]:
    """Grey levels (size, size, 1) of the content of file `name`, None if it can't be read, and its answer, not scored yet.

    Raises:
        UserError: Memory ran out.
    """
    digest = hashlib.sha256(content).hexdigest()
    try:
        decoded = decode_image(content, grey)
    except MemoryError:
        raise UserError("memory ran out while an image was read: free some, and resume with --resume") from None
    except UnreadableImage as refused:
        return None, Answer(name, digest, reason=str(refused))
    image = decoded.image
    flags = _flags(image.width, image.height, decoded.mode in _IN_COLOUR and _is_photograph(content))
    levels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))[:, :, None]
    return levels, Answer(name, digest, image.width, image.height, flags=flags, pixels=pixel_hash(np.asarray(image)))


def _flags(width: int, height: int, is_photograph: bool) -> list[str]:
    """What speaks against a chest radiograph."""
    flags = ["in colours, like a photograph"] if is_photograph else []
    if min(width, height) < _FEWEST:
        return [f"{width} x {height} pixels are few for a film", *flags]
    if max(width, height) > _LONGEST * min(width, height):
        return [f"{width} x {height} pixels is the shape of no chest film", *flags]
    return flags


def _is_photograph(content: bytes) -> bool:
    """Whether the channels of a colour image differ as those of a photograph do."""
    with Image.open(BytesIO(content)) as image:
        image.draft("RGB", (64, 64))  # a JPEG is decoded small
        small = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR), np.int16)
    return bool(np.ptp(small, axis=-1).mean() > _COLOURFUL)
