"""What a file is by its first bytes, whatever its name."""

from cxr.data.images.dicom import is_dicom
from cxr.data.images.files import first_bytes

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF87a", b"GIF89a")
_FIRST = 4096  # bytes


def is_dicom_file(path: str) -> bool:
    """Whether a file is DICOM, with or without its preamble; False for one that can't be read."""
    return is_dicom(first_bytes(path, _FIRST))


def looks_like_image(path: str) -> bool:
    """Whether a file begins as PNG, JPEG, BMP, TIFF, GIF, WebP or DICOM does."""
    first = first_bytes(path, _FIRST)
    return first.startswith(_SIGNATURES) or (first[:4] == b"RIFF" and first[8:12] == b"WEBP") or is_dicom(first)
