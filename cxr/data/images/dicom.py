"""DICOM files: how they are recognised, and what reads them. Imports pydicom, which takes a second, when the first one is read."""

import struct
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".dcm", ".dicom")
_FIRST_GROUPS = (0x0002, 0x0008)
_LONG_LENGTH = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")  # PS3.5, 7.1.2


def is_dicom(content: bytes) -> bool:
    """Whether a file has the preamble of DICOM (PS3.10, section 7.1), or begins with two of its elements, as files without do."""
    return content[128:132] == b"DICM" or any(_begins_with_elements(content, order) for order in "<>")


def reader() -> str:
    """The libraries that read DICOM here, with their versions."""
    return ", ".join(f"{name} {version(name)}" for name in ("pydicom", "imagecodecs"))


def read_dicom(content: bytes) -> tuple[NDArray[np.uint8], str, str]:
    """Grey levels (height, width), as `cxr.data.images.dicom_image.read_dicom`, which imports pydicom."""
    from cxr.data.images.dicom_image import read_dicom as read

    return read(content)


def _begins_with_elements(content: bytes, order: str) -> bool:
    """Whether two elements of the first groups follow each other in the order of their tags, in one byte order."""
    place, before = 0, (0, 0)
    for _ in range(2):
        head = content[place : place + 12]
        if len(head) < 12:
            return False
        tag = struct.unpack(f"{order}HH", head[:4])
        if tag[0] not in _FIRST_GROUPS or tag <= before:
            return False
        kind, before = head[4:6], tag
        if not (kind.isalpha() and kind.isupper()):  # implicit: the length is in place of the kind
            place += 8 + struct.unpack(f"{order}I", head[4:8])[0]
        elif kind in _LONG_LENGTH:
            place += 12 + struct.unpack(f"{order}I", head[8:12])[0]
        else:
            place += 8 + struct.unpack(f"{order}H", head[6:8])[0]
    return True
