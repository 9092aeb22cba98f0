"""DICOM: a film's grey levels as a viewer shows them first, and nothing of the person but who is the same."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.data.film import NoFilm, check_size

SUFFIXES = (".dcm", ".dicom")

# All that is ever read of a file: what the pixels mean, and the id that says which films are of one patient.
_TAGS = (
    *("PatientID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelData"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)
# What pydicom decodes compressed pixels with, where it is installed.
_CODECS = ("pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm", "pyjpegls")


@dataclass(frozen=True)
class Dicom:
    """Grey levels (height, width) in 0..255, bright where little was absorbed less; depth and photometry as stored; a patient."""

    grey: NDArray[np.uint8]
    mode: str
    patient: str  # a hash of the id: enough to keep a patient's films together, though not a way to hide who it is


def is_dicom(content: bytes) -> bool:
    """Whether it says that it is (DICOM PS3.10, section 7.1)."""
    return content[128:132] == b"DICM"


def reader() -> str:
    """The libraries that read DICOM here, with their versions."""
    found = []
    for name in ("pydicom", *_CODECS):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found) or "no pydicom"


def read_dicom(content: bytes) -> Dicom:
    """Read a single-frame grey film; raises `NoFilm`, never with a value of the file's own, for all others.

    Modality (rescale) and VOI transformations are applied, a lookup table before a window and the first of several (DICOM
    PS3.3, sections C.11.1 and C.11.2); what comes out is scaled from its darkest to its brightest pixel, padding left out and
    black. MONOCHROME1 is inverted.
    """
    import pydicom
    from pydicom.pixels.processing import apply_modality_lut

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # its warnings quote values
    try:
        film = pydicom.dcmread(BytesIO(content), specific_tags=list(_TAGS))
        height, width = int(film.Rows), int(film.Columns)
        frames, samples = int(film.get("NumberOfFrames") or 1), int(film.get("SamplesPerPixel") or 1)
        photometry = str(film.get("PhotometricInterpretation"))
    except Exception as error:
        raise NoFilm(f"its DICOM header can't be read ({type(error).__name__})") from None
    check_size(width, height)
    if frames > 1:
        raise NoFilm(f"{frames} frames in one DICOM file: save the one that is meant by itself")
    if samples != 1 or photometry not in ("MONOCHROME1", "MONOCHROME2"):
        raise NoFilm("a DICOM file in colour: a film is MONOCHROME1 or MONOCHROME2")
    try:
        stored = film.pixel_array
        shown = _windowed(apply_modality_lut(stored, film), film)
    except MemoryError:
        raise
    except Exception as error:
        syntax = film.file_meta.get("TransferSyntaxUID")
        packed = bool(getattr(syntax, "is_compressed", False)) and syntax.name != str(syntax)  # a known one
        hint = f"; it is packed as {syntax.name}: pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg" if packed else ""
        raise NoFilm(f"its DICOM pixels can't be decoded ({type(error).__name__}){hint}") from None
    padding = stored == film.PixelPaddingValue if "PixelPaddingValue" in film else np.zeros(stored.shape, bool)
    grey = _stretched(shown, ~padding, inverted=photometry == "MONOCHROME1")
    return Dicom(grey, f"{film.get('BitsStored', '?')}-bit {photometry}", _patient(film))


def _windowed(values: NDArray[Any], film: Any) -> NDArray[np.float64]:
    """With the first VOI lookup table, or else the first window; what a window puts out is scaled later, so it only cuts off."""
    from pydicom.multival import MultiValue
    from pydicom.pixels.processing import apply_voi_lut

    if "VOILUTSequence" in film or "WindowCenter" not in film or film.get("VOILUTFunction") == "SIGMOID":
        return np.asarray(apply_voi_lut(values, film, prefer_lut=True), np.float64)
    center, width = (
        float(said[0] if isinstance(said, MultiValue) else said) for said in (film.WindowCenter, film.get("WindowWidth", 1))
    )
    if film.get("VOILUTFunction", "LINEAR") == "LINEAR":  # C.11.2.1.2.1: of whole numbers, so half a level less
        center, width = center - 0.5, width - 1
    return np.clip(np.asarray(values, np.float64), center - width / 2, center + width / 2)


def _stretched(values: NDArray[np.float64], seen: NDArray[np.bool_], inverted: bool) -> NDArray[np.uint8]:
    if not seen.any():
        return np.zeros(values.shape, np.uint8)
    low, high = values[seen].min(), values[seen].max()
    share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.where(seen, ((1 - share if inverted else share) * 255).round(), 0).astype(np.uint8)


def _patient(film: Any) -> str:
    said = str(film.get("PatientID") or "").strip()
    return hashlib.sha256(said.encode()).hexdigest()[:16] if said else ""
