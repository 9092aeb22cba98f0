"""DICOM: grey levels as a viewer first shows them. No personal data is read, except a hash of the patient id."""

import hashlib
import logging
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.data.images.limits import UnreadableImage, check_scans, check_size

SUFFIXES = (".dcm", ".dicom")

# The only attributes that are read: those of the pixels, and the patient id, which groups images of one patient.
_TAGS = (
    *("PatientID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelData"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
# Transfer syntax "deflated": pydicom unpacks it whole before anything can be looked at.
_DEFLATED = re.compile(rb"\x02\x00\x10\x00.{4}1\.2\.840\.10008\.1\.2\.1\.99", re.DOTALL)
_JPEG_2000 = re.compile(rb"\xff\x4f\xff\x51.{4}(.{34})", re.DOTALL)  # ISO/IEC 15444-1, A.5.1
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of a frame header
# What pydicom decodes compressed pixels with, where it is installed.
_CODECS = ("pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm", "pyjpegls")


def is_dicom(content: bytes) -> bool:
    """Whether its preamble is that of DICOM (PS3.10, section 7.1)."""
    return content[128:132] == b"DICM"


def reader() -> str:
    """The libraries that read DICOM here, with their versions."""
    versions = []
    for name in ("pydicom", *_CODECS):
        with suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return ", ".join(versions) or "no pydicom"


def read_dicom(content: bytes) -> tuple[NDArray[np.uint8], str, str]:
    """Grey levels (height, width) in 0..255, bit depth and photometry as stored, and a hash of the patient id ("" without one).

    Modality (rescale) and VOI transformations are applied, a lookup table before a window and the first of several; the result is
    scaled from its darkest to its brightest pixel, padding left out and black. MONOCHROME1 is inverted. The hash groups images of a
    patient, and does not make them anonymous.

    Raises:
        UnreadableImage: It is not a single-frame grey image; never with a value of the file.

    Source:
        DICOM PS3.3, sections C.11.1 and C.11.2.
    """
    import pydicom

    silence_warnings()
    if _DEFLATED.search(content):
        raise UnreadableImage("a deflated DICOM file, which may unpack to any size: save it without")
    with _errors_without_values("its DICOM header can't be read"):
        dataset = pydicom.dcmread(BytesIO(content), specific_tags=list(_TAGS))
        height, width = int(dataset.Rows), int(dataset.Columns)
        frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
        photometry, patient = str(dataset.get("PhotometricInterpretation")), str(dataset.get("PatientID") or "").strip()
    check_size(width, height)
    if frames > 1:
        raise UnreadableImage(f"{frames} frames in one DICOM file: save the one that is meant by itself")
    if samples != 1 or photometry not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableImage("a DICOM file in colour: a radiograph is MONOCHROME1 or MONOCHROME2")
    with _errors_without_values("its DICOM pixels can't be decoded", dataset):
        grey = _pixels(dataset, height, width, inverted=photometry == "MONOCHROME1")
    patient_hash = hashlib.sha256(patient.encode()).hexdigest()[:16] if patient else ""
    return grey, f"{dataset.get('BitsStored', '?')}-bit {photometry}", patient_hash


@cache
def silence_warnings() -> None:
    """Silence the warnings of the library: they quote values of the file, which may be personal data or terminal codes."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom|cxr\.data\.images\.dicom")


@contextmanager
def _errors_without_values(what: str, dataset: Any = None) -> Iterator[None]:
    """Raise any error of pydicom and its codecs as `UnreadableImage`, without a value of the file."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImage(f"{what} ({type(error).__name__}){_compression_hint(dataset)}") from None


def _compression_hint(dataset: Any) -> str:
    """What to install for compressed files; "" for others."""
    with suppress(AttributeError, ValueError):
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_compressed and syntax.name != str(syntax):  # a known one
            return f"; it is packed as {syntax.name}: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
    return ""


def _pixels(dataset: Any, height: int, width: int, inverted: bool) -> NDArray[np.uint8]:
    from pydicom.pixels.processing import apply_modality_lut

    _check_packed_size(dataset, height, width)
    stored = dataset.pixel_array
    if stored.shape != (height, width):
        raise UnreadableImage("its pixels are not as many as its DICOM header says")
    shown = _windowed(apply_modality_lut(stored, dataset), dataset)
    padding = dataset.get("PixelPaddingValue")
    valid = stored != padding if isinstance(padding, int) else np.ones(stored.shape, bool)
    return _stretched(shown, valid & np.isfinite(shown), inverted, flat=bool((stored == stored[0, 0]).all()))


def _check_packed_size(dataset: Any, height: int, width: int) -> None:
    """Raise `UnreadableImage` if a compressed frame does not match its header: unpacked, it might fill the memory."""
    from pydicom.encaps import generate_frames
    from pydicom.uid import RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if syntax == RLELossless:  # PS3.5, annex G: no packet is more than a byte longer than what it holds
        fits = len(frame) <= 2 * height * width * int(dataset.BitsAllocated) // 8 + 1024
    elif frame[:2] == b"\xff\xd8":
        check_scans(frame)
        fits = _jpeg_size(frame) == (height, width, 1)
    else:  # every header that a decoder might take
        sizes = [struct.unpack(">8IH", header) for header in _JPEG_2000.findall(frame)]
        fits = all((y - top, x - left, bands) == (height, width, 1) for x, y, left, top, _, _, _, _, bands in sizes)
    if not fits:
        raise UnreadableImage("its compressed pixels are not as many as its DICOM header says")


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    """Height, width and bands in the frame header of a JPEG or JPEG-LS (ITU-T T.81, B.1.1 and B.2.2); none without a header."""
    start = 2
    while start + 10 <= len(frame) and frame[start] == 0xFF:
        marker = frame[start + 1]
        if marker == 0xFF:  # as many as the writer likes
            start += 1
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack(">2H", frame[start + 5 : start + 9])
            return height, width, frame[start + 9]
        else:
            start += 2 + int.from_bytes(frame[start + 2 : start + 4], "big")
    return None


def _windowed(values: NDArray[Any], dataset: Any) -> NDArray[np.float64]:
    """The values with the first VOI lookup table, or else cut off by the first window; `_stretched` scales them."""
    from pydicom.multival import MultiValue
    from pydicom.pixels.processing import apply_voi_lut

    if "VOILUTSequence" in dataset or "WindowCenter" not in dataset or dataset.get("VOILUTFunction") == "SIGMOID":
        return np.asarray(apply_voi_lut(values, dataset, prefer_lut=True), np.float64)
    window = (dataset.WindowCenter, dataset.get("WindowWidth", 1))
    center, width = (float(value[0] if isinstance(value, MultiValue) else value) for value in window)
    if dataset.get("VOILUTFunction", "LINEAR") == "LINEAR":  # C.11.2.1.2.1: of whole numbers, so half a level less
        center, width = center - 0.5, width - 1
    return np.clip(np.asarray(values, np.float64), center - width / 2, center + width / 2)


def _stretched(values: NDArray[np.float64], valid: NDArray[np.bool_], inverted: bool, flat: bool) -> NDArray[np.uint8]:
    low, high = (values[valid].min(), values[valid].max()) if valid.any() else (0.0, 0.0)
    if flat:
        return np.zeros(values.shape, np.uint8)
    if not 0 < high - low < np.inf:
        raise UnreadableImage("its DICOM pixels, rescaled and windowed, are all the same")
    share = np.clip((values - low) / (high - low), 0, 1)
    return np.where(valid, ((1 - share if inverted else share) * 255).round(), 0).astype(np.uint8)
