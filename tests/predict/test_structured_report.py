"""Structured reports: readable for another reader, of the source's patient and study, and never verified."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("highdicom", reason="the extra that writes DICOM is not installed")
import pydicom
from highdicom.sr import srread
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import UserError
from cxr.predict import structured_report
from cxr.predict.structured_report import check_highdicom, class_code, write_structured_report
from cxr.text import slug
from tests.data.images.test_dicom import dicom
from tests.predict.made import CLASSES, answered, refused

ABOUT: dict[str, Any] = {"model": {"run": {"id": "1" * 32, "name": "then"}, "model_sha256": "ab" * 32}, "point": {"name": "argmax"}}
STUDY = {"StudyInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3.5", "AccessionNumber": "A7", "Modality": "CR"}


def film(folder: Path, **tags: Any) -> str:
    (folder / "IM0001").write_bytes(dicom(**tags))
    return str(folder / "IM0001")


def written(folder: Path, path: str) -> Path:
    assert write_structured_report(answered(path, 0.75), list(CLASSES), ABOUT, folder / "sr") == ""
    (file,) = (folder / "sr").iterdir()
    return file


def test_report_has_class_zone_and_probabilities(tmp_path: Path) -> None:
    report: Any = srread(written(tmp_path, film(tmp_path, **STUDY)))
    (group,) = report.content.get_image_measurement_groups()
    probabilities = {measurement.name.meaning: measurement.value for measurement in group.get_measurements()}
    assert probabilities == pytest.approx({"Probability of COVID": 0.75, "Probability of Normal": 0.25})
    evaluated = {evaluation.name.meaning: evaluation.value.meaning for evaluation in group.get_qualitative_evaluations()}
    assert evaluated == {"Class by the model": "COVID", "Triage zone": "Fast track"}
    (source,) = group.source_images
    assert source.referenced_sop_instance_uid == "1.2.3"


def test_file_without_preamble_has_a_report_too(tmp_path: Path) -> None:
    whole = Path(film(tmp_path, **STUDY)).read_bytes()
    (tmp_path / "IM0002").write_bytes(whole[132:])
    assert written(tmp_path, str(tmp_path / "IM0002")).is_file()


def test_report_is_unverified_and_of_the_patient_and_study(tmp_path: Path) -> None:
    report = pydicom.dcmread(written(tmp_path, film(tmp_path, **STUDY)))
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "Research use only" in report.SeriesDescription
    assert (report.PatientID, report.StudyInstanceUID, report.AccessionNumber) == ("4711", "1.2.3.4", "A7")
    assert report.SeriesInstanceUID != "1.2.3.5"


ODD = ["COVID", "p COVID", "class p COVID", "class", "zone", "Review", "class review", "p class"]


@given(st.lists(st.sampled_from(ODD), unique=True))
def test_codes_of_classes_are_unique(classes: list[str]) -> None:
    taken = ["class", "zone", "fast_track", "review", "routine", *(f"p_{slug(name)}" for name in classes)]
    codes = [*taken, *map(class_code, classes)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    "classes",
    [
        ["Lung opacity, left upper", "Lung opacity, left lower"],
        ["Review", "Zone"],
        ["COVID", "p COVID"],
        ["Atelectasis of the whole right lung", "Atelectasis of the whole right lung, and of the left one to the same degree"],
    ],
)
def test_reader_sees_a_code_for_each_class(tmp_path: Path, classes: list[str]) -> None:
    probabilities = dict(zip(map(slug, classes), (0.75, 0.25), strict=True))
    answer = replace(answered(film(tmp_path, **STUDY), zone="review"), called=classes[0], calibrated=probabilities)
    assert write_structured_report(answer, classes, ABOUT, tmp_path / "sr") == ""
    report: Any = srread(next((tmp_path / "sr").iterdir()))
    (group,) = report.content.get_image_measurement_groups()
    measurements, evaluations = group.get_measurements(), group.get_qualitative_evaluations()
    assert [measurement.value for measurement in measurements] == [0.75, 0.25]
    codes = [*(item.name.value for item in (*measurements, *evaluations)), *(item.value.value for item in evaluations)]
    assert len(set(codes)) == len(codes) == 6


def test_uids_depend_on_answer_and_model(tmp_path: Path) -> None:
    path = film(tmp_path, **STUDY)
    first = pydicom.dcmread(written(tmp_path, path)).SOPInstanceUID
    assert pydicom.dcmread(written(tmp_path, path)).SOPInstanceUID == first
    other = {**ABOUT, "model": {**ABOUT["model"], "model_sha256": "cd" * 32}}
    write_structured_report(answered(path, 0.75), list(CLASSES), other, tmp_path / "sr")
    assert pydicom.dcmread(next((tmp_path / "sr").iterdir())).SOPInstanceUID != first


def test_incomplete_header_is_named_without_its_values(tmp_path: Path) -> None:
    why_not = write_structured_report(answered(film(tmp_path)), list(CLASSES), ABOUT, tmp_path / "sr")
    assert why_not == "its DICOM header lacks StudyInstanceUID, SeriesInstanceUID, Modality"
    assert not (tmp_path / "sr").exists()


def test_other_files_and_unanswered_ones_have_no_report(tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(b"\x89PNG")
    path = film(tmp_path, **STUDY)
    for answer in (answered(str(tmp_path / "film.png")), replace(refused("x"), path=path)):
        assert write_structured_report(answer, list(CLASSES), ABOUT, tmp_path / "sr") is None
    assert not (tmp_path / "sr").exists()


def test_missing_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_highdicom()
    monkeypatch.setattr(structured_report, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="--dicom-sr needs highdicom: pip install highdicom"):
        check_highdicom()


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="DCMTK's dsrdump is not installed")
def test_viewer_of_dcmtk_reads_the_report(tmp_path: Path) -> None:
    done = subprocess.run(
        ["dsrdump", written(tmp_path, film(tmp_path, **STUDY))], capture_output=True, text=True, timeout=60, check=True
    )
    assert "UNVERIFIED" in done.stdout
    assert '(covid,99CXR,"COVID")' in done.stdout
    assert not done.stderr
