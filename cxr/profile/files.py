"""Facts of image files beside their pixels: format, size in bytes, and the attributes of DICOM that say how an image was made."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from cxr.data.images.parallel import AllCores
from cxr.data.images.signature import is_dicom_file

# The only attributes that are read, with their headings: none of them names a person, a place or a day.
DICOM_TAGS = {
    "ViewPosition": "view",
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "machine",
    "PatientAge": (_AGE := "age in years"),
    "PatientSex": "sex",
}
_FEW = 1000  # files, up to which threads are quicker than processes
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}  # units of an age (DICOM PS3.5, section 6.2, AS)


def file_traits(root: Path, paths: Sequence[str]) -> pd.DataFrame:
    """A row for each path below `root`: `file format`, `file bytes`, and a column of `DICOM_TAGS` for each; "" is unknown."""
    with AllCores() as all_cores:
        chunks = list(all_cores.map(_traits_of, [f"{root}/{path}" for path in paths], few=_FEW))
    return pd.DataFrame([row for chunk in chunks for row in chunk])


def _traits_of(files: Sequence[str]) -> list[dict[str, str | int]]:
    return [_traits(file) for file in files]


def _traits(file: str) -> dict[str, str | int]:
    unknown = dict.fromkeys(DICOM_TAGS.values(), "")
    try:
        with open(file, "rb") as opened:  # noqa: PTH123 - a set has many files, and a Path takes as long as to read one
            size = os.fstat(opened.fileno()).st_size
            if is_dicom_file(file):
                return {"file format": "DICOM", "file bytes": size, **unknown, **_dicom_tags(file)}
            with Image.open(opened) as image:
                return {"file format": image.format or "", "file bytes": size, **unknown}
    except (OSError, ValueError, SyntaxError):
        return {"file format": "", "file bytes": 0, **unknown}


def _dicom_tags(file: str) -> dict[str, str]:
    """The values of `DICOM_TAGS`; none where the header can't be read."""
    import pydicom

    from cxr.data.images.dicom_attributes import silence_warnings

    silence_warnings()
    try:
        header = pydicom.dcmread(file, force=True, specific_tags=list(DICOM_TAGS), stop_before_pixels=True)
        values = {heading: str(header.get(tag) or "").strip() for tag, heading in DICOM_TAGS.items()}
    except Exception:  # whatever pydicom raises for a damaged header
        return {}
    return values | {_AGE: _years(values[_AGE])}


def _years(age: str) -> str:
    """An age as DICOM writes it in whole years; "" where it is no age.

    >>> _years("045Y"), _years("018M"), _years("unknown")
    ('45', '1', '')
    """
    number, unit = age[:-1], age[-1:].upper()
    return str(int(int(number) * _YEARS[unit])) if number.isdigit() and unit in _YEARS else ""
