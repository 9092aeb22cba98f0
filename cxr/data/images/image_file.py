"""One image file: decoded to grey levels, hashed, and resized to the network's size."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from cxr.data.images import dicom
from cxr.data.images.decode import decode_image
from cxr.data.images.files import read_file
from cxr.data.images.limits import NO_IMAGE, UnreadableImage
from cxr.data.images.perceptual import perceptual_hashes_of
from cxr.errors import UserError

# What pixels and facts of 8-bit images depend on beside the file; the number counts changes of this project's own. The end is
# history: images of any kind were read under this name, and those of 8 bits are still what they were.
DECODER = f"grey 4, bilinear, pillow {PIL.__version__}, pydicom 3.0.2, pyjpegls 1.5.1"
# The same of DICOM and of deep images.
DECODER_BY_RULES = f"grey 5, bilinear, pillow {PIL.__version__}, {dicom.reader()}"

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", *dicom.SUFFIXES)


@dataclass(frozen=True)
class BadImage:
    """An image that can't be read, and why."""

    path: str
    reason: str

    @property
    def is_no_image(self) -> bool:
        """Whether it is by its kind no image, as a DICOM report or directory: it is left out, and stops no run."""
        return self.reason.startswith(NO_IMAGE)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image at its own size.

    `bits` is the depth of a deep image that is no DICOM, the smallest that holds all but 1 % of its pixels; 0 for others.
    `sha256` is of its grey pixels and size, in hex: the same for every lossless encoding. `perceptual` holds its perceptual
    hashes: see cxr.data.images.perceptual. `mode` is as stored. `patient` is a hash of the patient id in a DICOM file.
    """

    sha256: str
    perceptual: str
    width: int
    height: int
    mode: str
    patient: str = ""
    bits: int = 0


def decode(content: bytes, size: int | None, grey: str | None = "auto") -> tuple[NDArray[np.uint8] | None, ImageFacts | str]:
    """Grey levels of one file's content, (size, size, 1), and its facts; or None, and why it can't be read.

    Resized bilinearly, area-averaged when shrinking; with no size only the facts are made. `grey` is that of `decode_image`.

    Raises:
        UserError: Memory ran out.
    """
    try:
        decoded = decode_image(content, grey)
    except MemoryError:  # no fault of the file
        raise UserError("memory ran out while an image was read: free some, and start again") from None
    except UnreadableImage as refused:  # any other error is a fault of cxr, not of the file
        return None, str(refused)
    image, pixels = decoded.image, np.asarray(decoded.image)
    own = decoded.mode, decoded.patient, decoded.bits
    facts = ImageFacts(pixel_hash(pixels), perceptual_hashes_of(pixels), image.width, image.height, *own)
    if size is None:
        return None, facts
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))[:, :, None], facts


def is_read_by_rules(mode: str) -> bool:
    """Whether the pixels of a stored mode depend on `data.grey` or on the rules for DICOM."""
    return mode.startswith("I") or "MONOCHROME" in mode


def pixel_hash(pixels: NDArray[np.uint8]) -> str:
    """The hash of grey levels and their size, sha256 in hex: it names an image in manifests.

    Args:
        pixels: (height, width).
    """
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    digest.update(pixels.data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """A file by its path, and the sha256 of its content in hex."""

    file: str
    sha256: str


def contents_of(files: Sequence[str]) -> list[Content | OSError]:
    """Each file with the hash of its content, or why it can't be read."""
    contents: list[Content | OSError] = []
    for file in files:
        try:
            contents.append(Content(file, hashlib.sha256(read_file(file)).hexdigest()))
        except OSError as error:
            contents.append(error)
    return contents


def decode_contents(
    contents: Sequence[Content], size: int | None, grey: str | None
) -> tuple[NDArray[np.uint8], list[ImageFacts | str]]:
    """The results of `decode` for each file: (n, size, size, 1), or (n, 0) with no size, and n facts.

    Raises:
        UserError: A file has changed.
    """
    pixels = np.zeros((len(contents), *shape_of(size)), np.uint8)
    facts: list[ImageFacts | str] = []
    for row, known in enumerate(contents):
        try:
            content = read_file(known.file)
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != known.sha256:
            raise UserError(f"{known.file} changed while it was being read: start again when nothing writes there any more")
        levels, fact = decode(content, size, grey)
        facts.append(fact)
        if levels is not None:
            pixels[row] = levels
    return pixels, facts


def shape_of(size: int | None) -> tuple[int, ...]:
    """The shape of one image at a network's size; (0,) without a size."""
    return (0,) if size is None else (size, size, 1)
