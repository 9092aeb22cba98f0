"""DICOM: grey levels as a viewer shows them, rejection with a reason, and no personal data in the result."""

import re
import struct
import subprocess
import sys
from dataclasses import astuple
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cxr.data.images.dicom import is_dicom
from cxr.data.images.image_file import ImageFacts, decode

SIZ = b"\xff\x4f\xff\x51" + bytes(4)  # JPEG 2000 up to the size
SOF = b"\xff\xd8\xff\xc3\x00\x0b\x10"  # lossless JPEG up to the size
LEVELS = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)


def dicom(pixels: np.ndarray = LEVELS, **tags: Any) -> bytes:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = UID("1.2.3")
    image.Rows, image.Columns = pixels.shape[-2:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, int(pixels.dtype.kind == "i")
    image.PatientName, image.PatientID, image.PatientBirthDate = "Doe^Jane", "4711", "19500101"
    compressed = image.file_meta.TransferSyntaxUID.is_compressed
    image.PixelData = encapsulate([b"no JPEG"]) if compressed else pixels.tobytes()
    for name, value in tags.items():
        setattr(image, name, value)
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def grey(content: bytes) -> np.ndarray:
    pixels, facts = decode(content, 32)
    assert pixels is not None, facts
    return pixels[..., 0].astype(float)


RAMP = np.linspace(0, 255, 32 * 32).reshape(32, 32)


@pytest.mark.parametrize(("photometry", "expected"), [("MONOCHROME2", RAMP), ("MONOCHROME1", 255 - RAMP)])
def test_levels_are_scaled_from_darkest_to_brightest_and_monochrome1_is_inverted(photometry: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(grey(dicom(PhotometricInterpretation=photometry)), expected, atol=1)


def test_rescale_and_window_are_applied() -> None:
    """Window from 1000 to 2000 of the rescaled values: half as bright again, as PS3.3 C.11.2.1.2.1 has it."""
    shown = grey(dicom(RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="1500", WindowWidth="1000"))
    rescaled = LEVELS * 2.0 - 1000
    expected = np.clip(((rescaled - 1499.5) / 999 + 0.5) * 255, 0, 255)
    np.testing.assert_allclose(shown, expected, atol=1.5)


def test_negative_slope_inverts_the_image_and_its_window() -> None:
    shown = grey(dicom(RescaleSlope="-1", RescaleIntercept="4095", WindowCenter="2048", WindowWidth="4096"))
    np.testing.assert_allclose(shown, 255 - RAMP, atol=1.5)


def test_first_of_several_windows_counts_and_signed_values_are_read() -> None:
    one = grey(dicom(WindowCenter="1000", WindowWidth="500"))
    np.testing.assert_array_equal(grey(dicom(WindowCenter=["1000", "3000"], WindowWidth=["500", "100"])), one)
    np.testing.assert_allclose(grey(dicom((LEVELS.astype(np.int32) - 2048).astype(np.int16))), RAMP, atol=1)


def test_padding_is_black_and_decides_nothing() -> None:
    padded = LEVELS.copy()
    padded[:4] = 60000
    padded[4:] = np.clip(padded[4:], 1000, 2000)
    shown = grey(dicom(padded, PixelPaddingValue=60000, BitsStored=16, HighBit=15))
    assert not shown[:4].any()
    assert (shown[4:].min(), shown[4:].max()) == (0, 255)


def raw(name: str, value: bytes, **tags: Any) -> bytes:
    """A file with an attribute as its writer wrote it: `value` is of as many bytes as a text that it replaces."""
    placeholder = ("8" * len(value)).encode()
    tags[name] = placeholder.decode()
    content = dicom(**tags)
    assert content.count(placeholder) == 1
    return content.replace(placeholder, value)


WINDOWED: dict[str, Any] = {"WindowCenter": "1500", "WindowWidth": "1000"}
SIGNED = (LEVELS.astype(np.int32) - 2048).astype(np.int16)
# Name: a file, and one that has to look the same.
SAME = {
    "empty window": (dicom(WindowCenter="", WindowWidth=""), dicom()),
    "width 0": (dicom(WindowCenter="1500", WindowWidth="0"), dicom()),
    "negative width": (dicom(WindowCenter="1500", WindowWidth="-5"), dicom()),
    "width alone": (dicom(WindowWidth="1000"), dicom()),
    "word for a width": (raw("WindowWidth", b"wide", WindowCenter="1500"), dicom()),
    "second window usable": (dicom(WindowCenter=["9", "1500"], WindowWidth=["0", "1000"]), dicom(**WINDOWED)),
    "comma": (raw("WindowCenter", b"1500,0", WindowWidth="1000"), dicom(**WINDOWED)),
    "blanks and zeros": (raw("WindowCenter", b" 1500 \0\0", WindowWidth="1000"), dicom(**WINDOWED)),
    "fraction in a whole number": (raw("NumberOfFrames", b"1.00"), dicom()),
    "unknown function": (dicom(VOILUTFunction="", **WINDOWED), dicom(**WINDOWED)),
    "slope alone": (dicom(RescaleSlope="2", **WINDOWED), dicom(RescaleSlope="2", RescaleIntercept="0", **WINDOWED)),
    "empty slope": (dicom(RescaleSlope="", RescaleIntercept="", **WINDOWED), dicom(**WINDOWED)),
    "empty sequence": (dicom(VOILUTSequence=[], ModalityLUTSequence=[]), dicom()),
    "empty depth": (dicom(BitsStored=None), dicom(BitsStored=16, HighBit=15)),
    "empty padding": (dicom(PixelPaddingValue=None), dicom()),
    "small letters": (dicom(PhotometricInterpretation="monochrome1"), dicom(PhotometricInterpretation="MONOCHROME1")),
    "no modality": (dicom(Modality=""), dicom(Modality="DX")),
    "modality that is no term": (dicom(Modality="XRAY"), dicom(Modality="CR")),
    "no preamble": (dicom()[132:], dicom()),
    "no header of the file": (dicom()[132 + 12 + int.from_bytes(dicom()[140:144], "little") :], dicom()),
    "signed": (dicom(SIGNED), dicom()),
    "one frame": (dicom(NumberOfFrames=1), dicom()),
}


@pytest.mark.parametrize("name", SAME)
def test_attribute_is_read_as_it_is_meant(name: str) -> None:
    content, same = SAME[name]
    np.testing.assert_array_equal(grey(content), grey(same))


@pytest.mark.parametrize(
    ("pixels", "padding"),
    [
        (SIGNED, {"PixelPaddingValue": -2048, "PixelPaddingRangeLimit": -1800}),
        (SIGNED, {"PixelPaddingValue": -1800, "PixelPaddingRangeLimit": -2048}),
        (LEVELS, {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 248}),
    ],
)
@pytest.mark.parametrize("photometry", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_up_to_its_limit(pixels: np.ndarray, padding: dict[str, int], photometry: str) -> None:
    shown = grey(dicom(pixels, PhotometricInterpretation=photometry, **padding))
    assert not shown[:1].any()
    assert {shown[2:].min(), shown[2:].max()} == {0, 255}


def test_signed_padding_that_is_written_as_unsigned_is_padding() -> None:
    signed = dicom(SIGNED, PixelPaddingValue=-2048)
    assert signed.count(b"SS\2\0\0\xf8") == 1
    unsigned = signed.replace(b"SS\2\0\0\xf8", b"US\2\0\0\xf8")
    np.testing.assert_array_equal(grey(unsigned), grey(signed))


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("pixels", [LEVELS, SIGNED], ids=["unsigned", "signed"])
def test_compressed_pixels_are_those_that_were_packed(syntax: UID, pixels: np.ndarray) -> None:
    import imagecodecs

    encode: dict[UID, Any] = {
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEG2000Lossless: partial(imagecodecs.jpeg2k_encode, reversible=True),
    }
    lossless = encode.get(syntax, partial(imagecodecs.jpeg8_encode, lossless=True, bitspersample=12))
    # 12 bits, as the standard stores signed values too; a codestream of JPEG 2000 itself says that they are signed
    words = pixels if syntax == JPEG2000Lossless else pixels.view(np.uint16) & 0xFFF
    packed = dicom(pixels, syntax=syntax, PixelData=encapsulate([bytes(lossless(words))]))
    np.testing.assert_array_equal(grey(packed), grey(dicom(pixels)))


def test_text_and_tables_are_no_dicom() -> None:
    assert not any(is_dicom(content) for content in (b"", b"\x08\0" * 80, b"path,label\n" * 30, b"\x89PNG\r\n\x1a\n" + bytes(200)))


def test_patients_differ_in_a_hash_and_no_fact_names_them() -> None:
    facts = [decode(dicom(PatientID=name), None)[1] for name in ("4711", "4711", "12", "")]
    first, same, other, unnamed = (fact.patient if isinstance(fact, ImageFacts) else "bad" for fact in facts)
    assert first == same != other
    assert unnamed == ""
    assert isinstance(facts[0], ImageFacts)
    assert facts[0].mode == "12-bit MONOCHROME2"
    assert not {"4711", "Doe^Jane", "19500101"} & set(map(str, astuple(facts[0])))


def test_flat_image_is_black() -> None:
    assert not grey(dicom(np.full((32, 32), 7, np.uint16))).any()


def jpeg(frame: bytes, syntax: UID = JPEGLosslessSV1) -> bytes:
    return dicom(syntax=syntax, PixelData=encapsulate([frame]))


def report(kind: UID) -> bytes:
    content = Dataset()
    content.file_meta = FileMetaDataset()
    content.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content.file_meta.MediaStorageSOPClassUID = content.SOPClassUID = kind
    content.file_meta.MediaStorageSOPInstanceUID = content.SOPInstanceUID = UID("1.2.3")
    content.PatientName, content.PatientID = "Doe^Jane", "4711"
    file = BytesIO()
    content.save_as(file, enforce_file_format=True)
    return file.getvalue()


FLAT = "its pixels are all the same after RescaleSlope and WindowCenter"  # they would be black, and nobody would see why
REFUSED = {
    "several images": (dicom(np.stack([LEVELS, LEVELS]), NumberOfFrames=2), "2 frames in one DICOM file"),
    "colour": (dicom(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "in colour"),
    "name for colours": (dicom().replace(b"MONOCHROME2", b"Doe^Jane   "), "in colour"),
    "size": (dicom(Rows=20000, Columns=20000), "20000 x 20000 pixels are more than any chest radiograph has"),
    "tiny": (dicom(LEVELS[:8, :8]), "too few to show a chest"),
    "compressed": (dicom(syntax=JPEGLosslessSV1), "can't be decoded"),
    "torn": (dicom()[:-500], "can't be decoded"),
    "head": (dicom()[:150], "DICOM"),
    "deflated": (dicom(syntax=DeflatedExplicitVRLittleEndian), "a deflated DICOM file"),
    "large JPEG 2000": (jpeg(SIZ + struct.pack(">8IH", 13000, 13000, *[0] * 6, 1), JPEG2000Lossless), "its compressed PixelData"),
    "small JPEG": (jpeg(SOF + struct.pack(">2H", 9, 32) + bytes(20)), "its compressed PixelData"),
    "JPEG of four bands": (jpeg(SOF + struct.pack(">2H", 32, 32) + b"\x04"), "its compressed PixelData"),
    "padded marker": (jpeg(SOF[:2] + b"\xff" + SOF[2:] + bytes(30)), "its compressed PixelData"),
    "scans": (jpeg(SOF + b"\xff\xda" * 101), "more scans than any radiograph"),
    "long RLE": (jpeg(bytes(40_000), RLELossless), "its compressed PixelData"),
    "too many pixels": (dicom(PixelData=LEVELS.tobytes() * 2), "not as long as Rows and Columns say"),
    "no pixels": (dicom(PixelData=b""), "its DICOM header has no PixelData"),
    "depth": (dicom(BitsAllocated=40), "its PixelData can't be decoded"),
    "frames of the header": (dicom(NumberOfFrames=3), "3 frames in one DICOM file"),
    "flat by slope": (dicom(RescaleSlope="0", RescaleIntercept="1"), FLAT),
    "CT": (dicom(Modality="CT"), "Modality CT: a slice, not a radiograph"),
    "no photometry": (dicom(PhotometricInterpretation=""), "its DICOM header has no PhotometricInterpretation"),
    "report": (report(UID("1.2.840.10008.5.1.4.1.1.88.33")), "no image (Comprehensive SR)"),
    "plan": (report(UID("1.2.840.10008.5.1.4.1.1.481.5")), "no image (RT Plan)"),
    "directory": (report(UID("1.2.840.10008.1.3.10")), "no image (DICOMDIR)"),
    "padding alone": (dicom(PixelPaddingValue=0, PixelPaddingRangeLimit=4095), "all of its pixels are PixelPaddingValue"),
    "flat by window": (dicom(WindowCenter="9000", WindowWidth="2"), FLAT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_all_but_a_single_grey_image_is_refused_without_a_value_of_the_file(name: str) -> None:
    content, answer = REFUSED[name]
    pixels, reason = decode(content, 32)
    assert pixels is None
    assert isinstance(reason, str)
    assert answer in reason
    assert not re.search("Doe|4711", reason)


def test_terminal_shows_no_value_of_the_file(tmp_path: Path) -> None:
    """Neither Python's warnings nor the library's log, in a process of its own, as both go to the terminal."""
    (tmp_path / "image.dcm").write_bytes(dicom(SpecificCharacterSet="SECRET"))
    code = "import sys; from cxr.data.images.image_file import decode; print(decode(open(sys.argv[1], 'rb').read(), 32)[0].shape)"
    command = [sys.executable, "-W", "default", "-c", code, str(tmp_path / "image.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(32, 32, 1)\n"
    assert "SECRET" not in done.stderr
