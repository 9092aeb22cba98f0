"""Images at the limits of `cxr.data.images.limits`: the largest valid ones, and small files that claim to be larger.

They are always the same, take up to seconds each, and are read only where they are asked for: `scripts/fuzz --kind limits`.
"""

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from struct import pack
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 8000, 5000  # 40 million pixels: as many as a radiograph may have
STRIP = 2000, 20_000  # the longest side that a radiograph may have


def picture(kind: str, mode: str, size: tuple[int, int] = (HEIGHT, WIDTH), **options: Any) -> bytes:
    """A file that Pillow writes, of one grey level and some noise in its first rows."""
    image = Image.new(mode, size[::-1])
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, size[1]), np.uint8))
    image.paste(noise.convert(mode) if mode[0] != "I" else 40_000, (0, 0, size[1], 16))
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scans(how_many: int) -> bytes:
    """A progressive JPEG with so many scans, of which all but the usual ten go over the first component again."""
    content = picture("JPEG", "L", progressive=True, quality=30)
    end = content.rindex(b"\xff\xd9")
    last = content[content.rindex(b"\xff\xda") : end]
    more = how_many - content.count(b"\xff\xda")
    return content[:end] + last * more + content[end:]


def chunked(width: int, height: int, depth: int, colours: int) -> bytes:
    """A PNG that says that it has this size, with pixels of a few rows."""
    header = pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b""))
    written = (pack(">I", len(held)) + name + held + pack(">I", zlib.crc32(name + held)) for name, held in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def dicom(bits: int, syntax: str = "1.2.840.10008.1.2.1", pixels: bytes | None = None, **more: Any) -> bytes:
    """A DICOM file at the limit, with noise for pixels where none are given."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(syntax), UID("1.2"), UID("1.2.3")
    said: dict[str, Any] = {"Rows": HEIGHT, "Columns": WIDTH, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    said |= {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0, **more}
    file = FileDataset("", {}, preamble=bytes(128), file_meta=meta)
    for name, value in said.items():
        setattr(file, name, value)
    length = said["Rows"] * said["Columns"] * bits // 8
    file.PixelData = np.random.default_rng(0).bytes(length) if pixels is None else pixels
    file["PixelData"].VR = "OW" if bits > 8 else "OB"
    if pixels is not None and syntax[-2:] != "99":
        file["PixelData"].is_undefined_length = True
    written = BytesIO()
    file.save_as(written, enforce_file_format=True)
    return written.getvalue()


def packed_dicom(syntax: str, frame: bytes, bits: int, rows: int = HEIGHT, columns: int = WIDTH) -> bytes:
    """A DICOM file with one compressed frame."""
    from pydicom.encaps import encapsulate

    return dicom(bits, syntax, encapsulate([frame]), Rows=rows, Columns=columns)


def behind_a_fill_byte(jpeg: bytes) -> bytes:
    """A JPEG with a fill byte before its first marker, as ITU-T T.81, B.1.1.2 allows."""
    return jpeg[:2] + b"\xff" + jpeg[2:]


def behind_a_decoy(jp2: bytes, height: int, width: int) -> bytes:
    """A JP2 file with a box, ignored by readers, that holds the start of a codestream of another size."""
    decoy = b"\xff\x4f\xff\x51" + pack(">HH4I", 41, 0, width, height, 0, 0)
    at = 12 + int.from_bytes(jp2[12:16], "big")  # after the boxes of the signature and of the file type
    return jp2[:at] + pack(">I", 24 + len(decoy)) + b"uuid" + bytes(16) + decoy + jp2[at:]


def run_lengths(bits: int, runs: bytes) -> bytes:
    """A frame of RLE (DICOM PS3.5, annex G) with one segment for each byte of a pixel."""
    planes = bits // 8
    starts = [64 + place * len(runs) for place in range(planes)]
    return pack("<16I", planes, *starts, *[0] * (15 - planes)) + runs * planes


def table_of_levels() -> Any:
    """A lookup table of all levels of 16 bits."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    table = Dataset()
    table.LUTDescriptor, table.LUTData = [0, 0, 16], np.arange(65536, dtype="<u2")[::-1].tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    return Sequence([table])


RLE, JPEG, JPEG_2000, DEFLATED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.1.99"
AREA = HEIGHT * WIDTH
Limit = tuple[str, bool, Callable[[], bytes]]  # what it is, whether it is to be read, and its content
OF_DICOM: list[Limit] = [
    ("DICOM, 16 bits", True, lambda: dicom(16)),
    ("DICOM, 16 bits, rescaled", True, lambda: dicom(16, RescaleSlope="1.5", RescaleIntercept="-1024")),
    ("DICOM, 16 bits, windowed", True, lambda: dicom(16, WindowCenter="30000", WindowWidth="20000")),
    (
        "DICOM, 16 bits, rescaled, sigmoid",
        True,
        lambda: dicom(
            16, RescaleSlope="1.5", RescaleIntercept="0", WindowCenter="30000", WindowWidth="20000", VOILUTFunction="SIGMOID"
        ),
    ),
    (
        "DICOM, 16 bits, both lookup tables",
        True,
        lambda: dicom(16, ModalityLUTSequence=table_of_levels(), VOILUTSequence=table_of_levels()),
    ),
    ("DICOM, 8 bits", True, lambda: dicom(8)),
    ("DICOM, 32 bits", True, lambda: dicom(32)),
    (
        "DICOM, 32 bits, rescaled, windowed",
        True,
        lambda: dicom(32, RescaleSlope="1.5", RescaleIntercept="0", WindowCenter="30000", WindowWidth="20000"),
    ),
    ("DICOM, RLE, long runs", True, lambda: packed_dicom(RLE, run_lengths(16, b"\x81\7" * (AREA // 128)), 16)),
    ("DICOM, RLE, runs of two", True, lambda: packed_dicom(RLE, run_lengths(8, b"\xff\7" * (AREA // 2)), 8)),
    ("DICOM, RLE, runs of two, 16 bits", True, lambda: packed_dicom(RLE, run_lengths(16, b"\xff\7" * (AREA // 2)), 16)),
    ("DICOM, RLE, 800 times too many", False, lambda: packed_dicom(RLE, run_lengths(16, b"\x81\7" * (AREA // 128)), 16, 24, 32)),
    ("DICOM, RLE, 40 MB for 1 KB", False, lambda: packed_dicom(RLE, run_lengths(8, b"\x81\7" * 20_000_000), 8, 24, 32)),
    ("DICOM, JPEG", True, lambda: packed_dicom(JPEG, picture("JPEG", "L"), 8)),
    ("DICOM, JPEG 2000", True, lambda: packed_dicom(JPEG_2000, picture("JPEG2000", "L", no_jp2=True), 8)),
    (
        "DICOM, JPEG 2000 larger than it says",
        False,
        lambda: packed_dicom(JPEG_2000, picture("JPEG2000", "L", no_jp2=True), 8, 24, 32),
    ),
    (
        "DICOM, JPEG 2000 in colour, larger than it says, behind a decoy",
        False,
        lambda: packed_dicom(JPEG_2000, behind_a_decoy(picture("JPEG2000", "RGB", (11_000, 11_000)), 24, 32), 8, 24, 32),
    ),
    (
        "DICOM, JPEG in colour, larger than it says, behind a fill byte",
        False,
        lambda: packed_dicom(JPEG, behind_a_fill_byte(picture("JPEG", "CMYK", (13_000, 13_000))), 8, 24, 32),
    ),
    ("DICOM, progressive JPEG, 100 scans", True, lambda: packed_dicom(JPEG, scans(100), 8)),
    ("DICOM, progressive JPEG, 300 scans", False, lambda: packed_dicom(JPEG, scans(300), 8)),
    ("DICOM, deflated zeros", False, lambda: dicom(16, DEFLATED, bytes(2 * AREA))),
]
OF_PILLOW: list[Limit] = [
    ("PNG, grey, strip", True, lambda: picture("PNG", "L", STRIP, compress_level=1)),
    ("PNG, 16 bits", True, lambda: picture("PNG", "I;16", compress_level=1)),
    ("PNG, colours, transparent", True, lambda: picture("PNG", "RGBA", compress_level=1)),
    ("PNG, palette, transparent", True, lambda: picture("PNG", "P", compress_level=1, transparency=3)),
    ("PNG that ends early", False, lambda: chunked(WIDTH, HEIGHT, 16, 6)),
    ("PNG, too long", False, lambda: chunked(400_000, 100, 8, 0)),
    ("PNG, too large", False, lambda: chunked(WIDTH, HEIGHT + 1, 8, 0)),
    ("JPEG, CMYK", True, lambda: picture("JPEG", "CMYK")),
    ("JPEG, progressive, 100 scans", True, lambda: scans(100)),
    ("JPEG, progressive, 300 scans", False, lambda: scans(300)),
    ("BMP, colours", True, lambda: picture("BMP", "RGB")),
    ("TIFF, 32 bits", True, lambda: picture("TIFF", "I")),
    ("TIFF, 16 bits, LZW", True, lambda: picture("TIFF", "I;16", compression="tiff_lzw")),
    ("TIFF, colours, transparent", True, lambda: picture("TIFF", "RGBA", compression="tiff_adobe_deflate")),
    ("WebP, colours, transparent", True, lambda: picture("WEBP", "RGBA", (2440, 16383), lossless=True, quality=0, method=0)),
]
LIMITS = [*OF_PILLOW, *(OF_DICOM if find_spec("pydicom") else [])]
