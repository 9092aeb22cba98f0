"""A DICOM image: grey levels as a viewer first shows them. No personal data is read, except a hash of the patient id."""

import hashlib
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RLELossless,
)

from cxr.data.images import dicom_codecs
from cxr.data.images.dicom_attributes import clean, silence_warnings, text_of
from cxr.data.images.limits import NO_IMAGE, UnreadableImage, check_scans, check_size

# The only attributes that are read: those of the kind and the pixels, and the patient id, which groups images of one patient.
_TAGS = (
    *("SOPClassUID", "Modality", "PatientID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
# Defined terms of Modality (PS3.3, C.7.3.1.1.1) whose images are no radiographs of a chest. Any other value is accepted: CR, DX,
# RG, RF, secondary captures (OT), none at all, and what is no defined term.
_OTHER_MODALITIES = {
    **dict.fromkeys(("CT", "MR", "PT", "CTPROTOCOL"), "a slice, not a radiograph"),
    **dict.fromkeys(("NM", "ST"), "a scintigram, not a radiograph"),
    **dict.fromkeys(("US", "IVUS", "BDUS"), "an ultrasound image, not a radiograph"),
    **dict.fromkeys(("MG", "XA", "IO", "PX", "BMD"), "a radiograph of something other than the chest"),
    **dict.fromkeys(("ES", "XC", "GM", "SM", "OP", "OPT", "OCT", "IVOCT", "OAM", "OPM", "DMS"), "a photograph, not a radiograph"),
    **dict.fromkeys(("SEG", "RTDOSE", "RTIMAGE", "REG", "FUSION"), "made for another image or a treatment, not a radiograph"),
}
# Transfer syntax "deflated": pydicom unpacks it whole before anything can be looked at.
_DEFLATED = re.compile(rb"\x02\x00\x10\x00.{4}1\.2\.840\.10008\.1\.2\.1\.99", re.DOTALL)
_JPEG_2000 = re.compile(rb"\xff\x4f\xff\x51.{4}(.{34})", re.DOTALL)  # ISO/IEC 15444-1, A.5.1
_JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of a frame header

silence_warnings()
dicom_codecs.register()


def read_dicom(content: bytes) -> tuple[NDArray[np.uint8], str, str]:
    """Grey levels (height, width) in 0..255, bit depth and photometry as stored, and a hash of the patient id ("" without one).

    Modality (rescale) and VOI transformations are applied, a lookup table before a window and the first usable one of several
    (DICOM PS3.3, sections C.11.1 and C.11.2); the result is scaled from its darkest to its brightest pixel, padding left out and
    black. MONOCHROME1 is inverted. An empty attribute counts as absent. The hash groups images of a patient, and does not make
    them anonymous.

    Raises:
        UnreadableImage: It is no single-frame grey radiograph; the reason never holds a value of the file.
    """
    if _DEFLATED.search(content):
        raise UnreadableImage("a deflated DICOM file, which may unpack to any size: save it without")
    with _errors_without_values("its DICOM header can't be read"):
        dataset = pydicom.dcmread(BytesIO(content), force=True, specific_tags=list(_TAGS))
        clean(dataset)
        _check_kind(dataset)
        height, width, photometry = dataset.Rows, dataset.Columns, dataset.PhotometricInterpretation
        _complete_syntax(dataset)
    check_size(width, height)
    if (frames := dataset.get("NumberOfFrames", 1)) > 1:
        raise UnreadableImage(f"{frames} frames in one DICOM file (NumberOfFrames): save the one that is meant by itself")
    if dataset.get("SamplesPerPixel", 1) != 1 or photometry not in ("MONOCHROME1", "MONOCHROME2"):
        raise UnreadableImage("a DICOM file in colour: PhotometricInterpretation of a radiograph is MONOCHROME1 or MONOCHROME2")
    syntax = dataset.file_meta.TransferSyntaxUID
    packed = f", packed as {syntax.name}" if syntax.name != str(syntax) and syntax.is_compressed else ""  # a known one
    with _errors_without_values(f"its PixelData can't be decoded{packed}"):
        stored = _stored(dataset, height, width)
    with _errors_without_values("ModalityLUTSequence, RescaleSlope, VOILUTSequence or WindowCenter can't be applied"):
        grey = _grey(stored, dataset, inverted=photometry == "MONOCHROME1")
    patient = text_of(dataset, "PatientID")
    return grey, f"{dataset.BitsStored}-bit {photometry}", hashlib.sha256(patient.encode()).hexdigest()[:16] if patient else ""


@contextmanager
def _errors_without_values(what: str) -> Iterator[None]:
    """Raise any error of pydicom and its codecs as `UnreadableImage`, without a value of the file."""
    try:
        yield
    except (UnreadableImage, MemoryError):
        raise
    except Exception:
        raise UnreadableImage(what) from None


def _check_kind(dataset: Any) -> None:
    """Raise `UnreadableImage` for a file without an image, an image of another modality, and one that lacks an attribute."""
    meta = getattr(dataset, "file_meta", FileMetaDataset())
    sop_class = UID(text_of(dataset, "SOPClassUID") or str(meta.get("MediaStorageSOPClassUID", "")))
    if sop_class == MediaStorageDirectoryStorage:
        raise UnreadableImage(f"{NO_IMAGE} (DICOMDIR)")
    if "PixelData" not in dataset and sop_class.name != str(sop_class) and "Image" not in sop_class.name:  # a known class
        raise UnreadableImage(f"{NO_IMAGE} ({sop_class.name.removesuffix(' Storage')})")
    if (modality := text_of(dataset, "Modality").upper()) in _OTHER_MODALITIES:
        raise UnreadableImage(f"Modality {modality}: {_OTHER_MODALITIES[modality]}")
    for name in ("Rows", "Columns", "BitsAllocated", "PhotometricInterpretation", "PixelData"):
        if name not in dataset:
            raise UnreadableImage(f"its DICOM header has no {name}")


def _complete_syntax(dataset: Any) -> None:
    """Where a file does not name its transfer syntax, take the one that its header was read by."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    if not dataset.file_meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = plain if little else ExplicitVRBigEndian


def _stored(dataset: Any, height: int, width: int) -> NDArray[Any]:
    """The stored values (height, width), unpacked."""
    _check_packed_size(dataset, height, width)
    syntax = dataset.file_meta.TransferSyntaxUID
    if dicom_codecs.is_available(syntax):
        dataset.pixel_array_options(decoding_plugin=dicom_codecs.PLUGIN)
    stored = dataset.pixel_array
    if stored.shape != (height, width):
        raise UnreadableImage("its PixelData is not as long as Rows and Columns say")
    return np.asarray(stored)


def _check_packed_size(dataset: Any, height: int, width: int) -> None:
    """Raise `UnreadableImage` if a compressed frame does not match its header: unpacked, it might fill the memory."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if syntax == RLELossless:  # PS3.5, annex G: no packet is more than a byte longer than what it holds
        fits = len(frame) <= 2 * height * width * dataset.BitsAllocated // 8 + 1024
    elif frame[:2] == b"\xff\xd8":
        check_scans(frame)
        fits = _jpeg_size(frame) == (height, width, 1)
    else:  # every header that a decoder might take
        sizes = [struct.unpack(">8IH", header) for header in _JPEG_2000.findall(frame)]
        fits = all((y - top, x - left, bands) == (height, width, 1) for x, y, left, top, _, _, _, _, bands in sizes)
    if not fits:
        raise UnreadableImage("its compressed PixelData is not of the size that Rows and Columns say")


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


def _grey(stored: NDArray[Any], dataset: Any, inverted: bool) -> NDArray[np.uint8]:
    """Grey levels of stored values (height, width), from the darkest to the brightest that is no padding."""
    valid = ~_is_padding(stored, dataset)
    rescaled = apply_modality_lut(stored, dataset)
    for name in ("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"):  # pydicom's windows turn over with a negative slope
        if name in dataset:
            delattr(dataset, name)
    shown = np.asarray(apply_voi_lut(rescaled, dataset), np.float64)
    valid &= np.isfinite(shown)
    if not valid.any():
        raise UnreadableImage("all of its pixels are PixelPaddingValue")
    low, high = shown[valid].min(), shown[valid].max()
    if (stored == stored[0, 0]).all():
        return np.zeros(stored.shape, np.uint8)
    if not 0 < high - low < np.inf:
        raise UnreadableImage("its pixels are all the same after RescaleSlope and WindowCenter")
    share = np.clip((shown - low) / (high - low), 0, 1)
    return np.where(valid, ((1 - share if inverted else share) * 255).round(), 0).astype(np.uint8)


def _is_padding(stored: NDArray[Any], dataset: Any) -> NDArray[np.bool_]:
    """Where stored values are padding (PS3.3, C.7.5.1.1.2): one value, or all up to a limit, written as signed or unsigned."""
    if "PixelPaddingValue" not in dataset:
        return np.zeros(stored.shape, bool)
    value = dataset.PixelPaddingValue
    ends = np.array([value, dataset.get("PixelPaddingRangeLimit", value)], np.int64).astype(stored.dtype)
    return np.asarray((stored >= ends.min()) & (stored <= ends.max()))
