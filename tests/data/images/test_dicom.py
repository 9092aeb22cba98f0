"""DICOM: grey levels as a viewer shows them, rejection with a reason, and no personal data in the result."""

import struct
import subprocess
import sys
import warnings
from dataclasses import astuple
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom", reason="the extra that reads DICOM is not installed")
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, RLELossless

from cxr.data.images.image_file import ImageFacts, decode

SIZ = b"\xff\x4f\xff\x51" + bytes(4)  # JPEG 2000 up to the size
SOF = b"\xff\xd8\xff\xc3\x00\x0b\x10"  # lossless JPEG up to the size
LEVELS = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)


def dicom(pixels: np.ndarray = LEVELS, **tags: Any) -> bytes:
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1.1")
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = UID("1.2.3")
    film.Rows, film.Columns = pixels.shape[-2:]
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, int(pixels.dtype.kind == "i")
    film.PatientName, film.PatientID, film.PatientBirthDate = "Doe^Jane", "4711", "19500101"
    compressed = film.file_meta.TransferSyntaxUID.is_compressed
    film.PixelData = encapsulate([b"no JPEG"]) if compressed else pixels.tobytes()
    for name, value in tags.items():
        setattr(film, name, value)
    file = BytesIO()
    film.save_as(file, enforce_file_format=True)
    return file.getvalue()


def grey(content: bytes) -> np.ndarray:
    pixels, facts = decode(content, 32)
    assert pixels is not None, facts
    return pixels[..., 0].astype(float)


RAMP = np.linspace(0, 255, 32 * 32).reshape(32, 32)


def test_stored_levels_are_scaled_from_darkest_to_brightest() -> None:
    np.testing.assert_allclose(grey(dicom()), RAMP, atol=1)


def test_monochrome1_is_inverted() -> None:
    np.testing.assert_allclose(grey(dicom(PhotometricInterpretation="MONOCHROME1")), 255 - RAMP, atol=1)


def test_rescale_and_window_are_applied() -> None:
    """Window from 1000 to 2000 of the rescaled values: half as bright again, as PS3.3 C.11.2.1.2.1 has it."""
    shown = grey(dicom(RescaleSlope="2", RescaleIntercept="-1000", WindowCenter="1500", WindowWidth="1000"))
    rescaled = LEVELS * 2.0 - 1000
    expected = np.clip(((rescaled - 1499.5) / 999 + 0.5) * 255, 0, 255)
    np.testing.assert_allclose(shown, expected, atol=1.5)


def test_a_negative_slope_turns_the_film_and_its_window() -> None:
    shown = grey(dicom(RescaleSlope="-1", RescaleIntercept="4095", WindowCenter="2048", WindowWidth="4096"))
    np.testing.assert_allclose(shown, 255 - RAMP, atol=1.5)


def test_the_first_of_several_windows_counts_and_signed_values_are_read() -> None:
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


def test_facts_tell_patients_apart_and_name_nobody() -> None:
    first, second, other = (decode(dicom(PatientID=name), None)[1] for name in ("4711", "4711", "12"))
    assert isinstance(first, ImageFacts)
    assert isinstance(second, ImageFacts)
    assert isinstance(other, ImageFacts)
    assert first.patient == second.patient != other.patient
    assert first.mode == "12-bit MONOCHROME2"
    assert not {"4711", "Doe^Jane", "19500101"} & set(map(str, astuple(first)))
    unnamed = decode(dicom(PatientID=""), None)[1]
    assert isinstance(unnamed, ImageFacts)
    assert unnamed.patient == ""


def test_a_flat_film_is_black() -> None:
    assert not grey(dicom(np.full((32, 32), 7, np.uint16))).any()


REFUSED = {
    "frames": (dicom(np.stack([LEVELS, LEVELS]), NumberOfFrames=2), "2 frames in one DICOM file"),
    "colour": (dicom(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "in colour"),
    "size": (dicom(Rows=20000, Columns=20000), "20000 x 20000 pixels are more than any chest radiograph has"),
    "tiny": (dicom(LEVELS[:8, :8]), "too few to show a chest"),
    "compressed": (dicom(syntax=JPEGLosslessSV1), "can't be decoded"),
    "torn": (dicom()[:-500], "can't be decoded"),
    "head": (dicom()[:150], "DICOM"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_single_grey_film_is_refused_in_words(name: str) -> None:
    content, answer = REFUSED[name]
    pixels, reason = decode(content, 32)
    assert pixels is None
    assert answer in str(reason)


def test_values_of_the_file_are_in_no_message_or_warning() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = str(decode(dicom(WindowCenter="1", WindowWidth="1")[:-2000].replace(b"MONOCHROME2", b"Doe^Jane   "), 32)[1])
    assert "Doe" not in found + "".join(str(each.message) for each in said)


@pytest.mark.parametrize(
    ("odd", "answer"),
    [
        ({"syntax": DeflatedExplicitVRLittleEndian}, "a deflated DICOM file"),
        (
            {"syntax": JPEG2000Lossless, "PixelData": encapsulate([SIZ + struct.pack(">8IH", 13000, 13000, *[0] * 6, 1)])},
            "compressed pixels",
        ),
        ({"syntax": JPEGLosslessSV1, "PixelData": encapsulate([SOF + struct.pack(">2H", 9, 32) + bytes(20)])}, "compressed pixels"),
        ({"syntax": JPEGLosslessSV1, "PixelData": encapsulate([SOF + struct.pack(">2H", 32, 32) + b"\x04"])}, "compressed pixels"),
        ({"syntax": JPEGLosslessSV1, "PixelData": encapsulate([SOF[:2] + b"\xff" + SOF[2:] + bytes(30)])}, "compressed pixels"),
        ({"syntax": JPEGLosslessSV1, "PixelData": encapsulate([SOF + b"\xff\xda" * 101])}, "more scans than any radiograph"),
        ({"syntax": RLELossless, "PixelData": encapsulate([bytes(40_000)])}, "compressed pixels"),
        ({"PixelData": LEVELS.tobytes() * 2}, "not as many as its DICOM header says"),
        ({"PixelData": b""}, "its DICOM pixels can't be decoded"),
        ({"BitsAllocated": 40}, "its DICOM pixels can't be decoded"),
        ({"NumberOfFrames": 3}, "3 frames in one DICOM file"),
    ],
)
def test_oddities_are_refused_in_words(odd: dict[str, Any], answer: str) -> None:
    pixels, said = decode(dicom(**odd), 32)
    assert pixels is None
    assert isinstance(said, str)
    assert answer in said
    assert "Doe" not in said
    assert "4711" not in said


@pytest.mark.parametrize("odd", [{"RescaleSlope": "0", "RescaleIntercept": "1"}, {"WindowCenter": "9000", "WindowWidth": "2"}])
def test_a_film_that_comes_out_all_the_same_is_refused(odd: dict[str, Any]) -> None:
    """It would be black, and nobody would see why."""
    assert decode(dicom(**odd), 32) == (None, "its DICOM pixels, rescaled and windowed, are all the same")


def test_no_warning_quotes_a_value(tmp_path: Path) -> None:
    """Neither by Python's warnings nor by the library's log; both go to the terminal, so a process of its own is asked."""
    (tmp_path / "film.dcm").write_bytes(dicom(SpecificCharacterSet="SECRET"))
    code = "import sys; from cxr.data.images.image_file import decode; print(decode(open(sys.argv[1], 'rb').read(), 32)[0].shape)"
    command = [sys.executable, "-W", "default", "-c", code, str(tmp_path / "film.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "(32, 32, 1)\n"
    assert "SECRET" not in done.stderr
