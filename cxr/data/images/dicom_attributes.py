"""Attributes of a DICOM image as writers really write them: empty ones, numbers with a comma, or with a unit's worth of blanks."""

import logging
import math
import warnings
from contextlib import suppress
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

_WHOLE = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_SHAPES = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def silence_warnings() -> None:
    """Silence the warnings of the library: they quote values of the file, which may be personal data or terminal codes."""
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom|cxr\.(data\.images|profile)\..*")


def clean(dataset: Any) -> None:
    """Replace the attributes of a dataset's pixels by plain numbers and words; empty attributes are removed.

    Of several windows the first usable one stays: a width is at least 1, or above 0 for LINEAR_EXACT and SIGMOID (PS3.3, C.11.2.1).
    """
    for name in (*_WHOLE, *_PADDING):
        _set(dataset, name, next(map(int, numbers_of(dataset, name)), None))
    for name in ("PhotometricInterpretation", "VOILUTFunction"):
        _set(dataset, name, text_of(dataset, name).upper() or None)
    if dataset.get("VOILUTFunction") not in _SHAPES:
        _set(dataset, "VOILUTFunction", None)
    for name in ("ModalityLUTSequence", "VOILUTSequence", "PixelData"):
        if name in dataset and not dataset.get(name):
            _set(dataset, name, None)
    _complete_depth(dataset)
    slope, intercept = (next(iter(numbers_of(dataset, name)), None) for name in ("RescaleSlope", "RescaleIntercept"))
    rescales = slope is not None or intercept is not None
    _set(dataset, "RescaleSlope", (1.0 if slope is None else slope) if rescales else None)
    _set(dataset, "RescaleIntercept", (intercept or 0.0) if rescales else None)
    least = 1.0 if dataset.get("VOILUTFunction", "LINEAR") == "LINEAR" else math.ulp(0.0)
    windows = zip(numbers_of(dataset, "WindowCenter"), numbers_of(dataset, "WindowWidth"), strict=False)
    center, width = next((window for window in windows if window[1] >= least), (None, None))
    _set(dataset, "WindowCenter", center)
    _set(dataset, "WindowWidth", width)


def numbers_of(dataset: Any, name: str) -> list[float]:
    """The finite numbers of an attribute; none where it is absent, empty or holds anything else."""
    item = dataset.get_item(name)
    if item is None:
        return []
    value = item.value
    if isinstance(value, bytes) and (item.VR or dictionary_VR(Tag(name))) in ("DS", "IS", "LO", "SH", "UN"):
        value = value.decode("latin-1").split("\\")
    else:
        value = dataset.get(name)
    values = value if isinstance(value, list) or hasattr(value, "append") else [value]
    numbers = []
    for text in values:
        with suppress(ValueError):
            numbers.append(float(str(text).strip(" \0").replace(",", ".")))
    return numbers if len(numbers) == len(values) and all(map(math.isfinite, numbers)) else []


def text_of(dataset: Any, name: str) -> str:
    """The first value of an attribute as text without blanks; "" where it is absent or empty."""
    value = dataset.get(name)
    if value is not None and not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), None)
    return "" if value is None else str(value).strip(" \0")


def _complete_depth(dataset: Any) -> None:
    """What follows from other attributes where it is missing."""
    if "BitsAllocated" in dataset:
        _set(dataset, "BitsStored", dataset.get("BitsStored") or dataset.BitsAllocated)
    for name, value in (("SamplesPerPixel", 1), ("PixelRepresentation", 0)):
        _set(dataset, name, dataset.get(name, value))


def _set(dataset: Any, name: str, value: Any) -> None:
    """Set an attribute, or remove it."""
    if name in dataset:
        delattr(dataset, name)
    if value is not None:
        setattr(dataset, name, value)
