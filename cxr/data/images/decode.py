"""Decoding: from the content of an image file to 8-bit grey levels, for any format, depth and colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from cxr.data.images.dicom import is_dicom, read_dicom
from cxr.data.images.files import read_file
from cxr.data.images.limits import UnreadableImage, check_scans, check_size

# No other decoder of Pillow's ever sees a file: some are old, and one runs another program.
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


@dataclass(frozen=True)
class DecodedImage:
    """An image (mode L) at its own size, its stored mode, and a hash of the patient id, if any."""

    image: Image.Image
    mode: str
    patient: str = ""


def read_grey(path: Path) -> Image.Image:
    """The grey levels of a file (mode L) at its own size.

    Raises:
        OSError, UnreadableImage: The file is not an image that can be read.
    """
    return decode_image(read_file(str(path))).image


def decode_image(content: bytes) -> DecodedImage:
    """Decode one file, rotated as its metadata asks.

    Deeper files are scaled from 0 to the largest value of their depth, the smallest of 8, 10, 12, 14 and 16 bits that holds their
    brightest pixel. Transparent pixels become black.

    Raises:
        UnreadableImage: It is damaged or holds several images.
    """
    if is_dicom(content):
        grey, mode, patient = read_dicom(content)
        return DecodedImage(Image.fromarray(grey), mode, patient)
    with _errors_of_pillow(), Image.open(BytesIO(content), formats=_FORMATS) as image:
        check_size(image.width, image.height)
        if (frames := getattr(image, "n_frames", 1)) > 1:
            raise UnreadableImage(f"{frames} images in one file: save the one that is meant by itself")
        if image.format == "JPEG":
            check_scans(content)
        image.load()
        negative = isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0
        return DecodedImage(_grey(ImageOps.exif_transpose(image), negative), image.mode)


@contextmanager
def _errors_of_pillow() -> Iterator[None]:
    """Raise any error of Pillow's readers as `UnreadableImage` in one line."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except UnidentifiedImageError:  # would name a file in memory
        raise UnreadableImage("not an image that can be recognised") from None
    except Image.DecompressionBombError:
        raise UnreadableImage("more pixels than any chest radiograph has") from None
    except Exception as error:
        raise UnreadableImage(" ".join(str(error).split()) or type(error).__name__) from None


def to_eight_bits(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Grey levels of any depth up to 16 bits scaled to 0..255, (...) as they came.

    Args:
        values: (...), from 0.

    Raises:
        UnreadableImage: They are no such values.

    >>> to_eight_bits(np.array([[0.0, 2048.0, 4095.0]]))
    array([[  0, 128, 255]], dtype=uint8)
    """
    brightest = values.max()
    if values.min() < 0 or brightest > 65535:
        raise UnreadableImage("its values are not grey levels of up to 16 bits")
    bits = next(bits for bits in (8, 10, 12, 14, 16) if brightest < 2**bits)
    return np.asarray((values * (255 / (2**bits - 1))).round(), np.uint8)


def _grey(image: Image.Image, negative: bool) -> Image.Image:
    """The image in mode L; of a deep TIFF Pillow does not turn a `negative` itself."""
    if image.mode == "F":
        raise UnreadableImage("its values are fractions: save it with whole grey levels of 8 or 16 bits")
    if image.mode.startswith("I"):
        levels = to_eight_bits(np.asarray(image, np.float32))
        return Image.fromarray(255 - levels if negative else levels)
    if image.has_transparency_data:
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image.convert("RGBA")).convert("L")
    return image.convert("L")
