"""Decoding: from the content of an image file to 8-bit grey levels, for any format, depth and colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from cxr.data.images.depth import depth_of, to_eight_bits
from cxr.data.images.dicom import is_dicom, read_dicom
from cxr.data.images.files import read_file
from cxr.data.images.limits import UnreadableImage, check_scans, check_size

# No other decoder of Pillow's ever sees a file: some are old, and one runs another program.
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")

_LATER = "read by a later version of cxr"  # in a cache that an earlier one shares


@dataclass(frozen=True)
class DecodedImage:
    """An image (mode L) at its own size, its stored mode, a hash of the patient id, if any, and its depth in bits if deep."""

    image: Image.Image
    mode: str
    patient: str = ""
    bits: int = 0


class DependsOnRules(UnreadableImage):
    """An image whose grey levels depend on `data.grey`, or on the libraries for DICOM."""


def read_grey(path: Path) -> Image.Image:
    """The grey levels of a file (mode L) at its own size.

    Raises:
        OSError, UnreadableImage: The file is not an image that can be read.
    """
    return decode_image(read_file(str(path)), "auto").image


def decode_image(content: bytes, grey: str | None) -> DecodedImage:
    """Decode one file, rotated as its metadata asks. Transparent pixels become black.

    Args:
        grey: the rule of `data.grey` by which files of more than 8 bits become 8 bits.

    Raises:
        DependsOnRules: Without a rule, of such files and of DICOM.
        UnreadableImage: It is damaged or holds several images.
    """
    if is_dicom(content):
        if grey is None:
            raise DependsOnRules(_LATER)
        levels, mode, patient = read_dicom(content)
        return DecodedImage(Image.fromarray(levels), mode, patient)
    with _errors_of_pillow(), Image.open(BytesIO(content), formats=_FORMATS) as image:
        check_size(image.width, image.height)
        if (frames := getattr(image, "n_frames", 1)) > 1:
            raise UnreadableImage(f"{frames} images in one file: save the one that is meant by itself")
        if image.format == "JPEG":
            check_scans(content)
        image.load()
        upright = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            negative = isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0
            return _of_deep(np.asarray(upright, np.float32), image.mode, grey, negative)
        return DecodedImage(_grey(upright), image.mode)


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


def _of_deep(values: NDArray[np.float32], mode: str, grey: str | None, negative: bool) -> DecodedImage:
    """An image of more than 8 bits; of a TIFF Pillow does not turn a `negative` itself."""
    if grey is None:
        raise DependsOnRules(_LATER)
    levels = to_eight_bits(values, grey)
    return DecodedImage(Image.fromarray(255 - levels if negative else levels), mode, bits=depth_of(values))


def _grey(image: Image.Image) -> Image.Image:
    """The image in mode L."""
    if image.mode == "F":
        raise UnreadableImage("its values are fractions: save it with whole grey levels of 8 or 16 bits")
    if image.has_transparency_data:
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image.convert("RGBA")).convert("L")
    return image.convert("L")
