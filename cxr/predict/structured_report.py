"""Answers for DICOM files as DICOM: a Comprehensive SR beside each, unverified and for research use.

The content follows template TID 1500 (DICOM PS3.16, "Measurement Report"), with one evaluation of the whole image: the class, the
zone, and a probability for each class. Patient and study are those of the source file, and nothing else of it is copied.
"""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cxr.data.images.signature import is_dicom_file
from cxr.errors import UserError, writing
from cxr.predict.answer import Answer
from cxr.text import slug

_OWN = "99CXR"  # coding scheme of classes and zones: they are this model's, and of no public vocabulary
_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality")
# Attributes of type 2 of the modules Patient and General Study (DICOM PS3.3, C.7.1.1 and C.7.2.1).
_MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
_ZONES = {"fast_track": "Fast track", "review": "Review", "routine": "Routine"}
_CLASS, _ZONE = "class", "zone"  # codes of what is evaluated


def check_highdicom() -> None:
    """Raise `UserError` where the library is missing."""
    if find_spec("highdicom") is None:
        raise UserError("--dicom-sr needs highdicom: pip install highdicom")


def write_structured_report(answer: Answer, classes: list[str], about: dict[str, Any], folder: Path) -> str | None:
    """Write the report of an answered DICOM file; None for any other file, else the reason why no report was written, or "".

    `about` is the content of predictions.json. The same answer of the same model gets the same UIDs.
    """
    import pydicom

    if not answer.called or not is_dicom_file(answer.path):
        return None
    source = pydicom.dcmread(answer.path, force=True, stop_before_pixels=True)
    if missing := [name for name in _NEEDED if not source.get(name)]:
        return f"its DICOM header lacks {', '.join(missing)}"
    for name in _MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, None)
    try:
        report = _report(source, answer, classes, about)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            report.save_as(folder / f"{answer.sha256[:24]}.dcm", enforce_file_format=True)
    except (AttributeError, KeyError, ValueError, TypeError) as error:  # any header; its values stay secret
        return f"its DICOM header does not suffice for a report ({type(error).__name__})"
    return ""


def _report(source: Any, answer: Answer, classes: list[str], about: dict[str, Any]) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    model, point = about["model"], about["point"]["name"]
    identity = f"{model['run']['id']} {model['model_sha256']} {point} {answer.sha256}"
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=_uid("device", model["model_sha256"]), name="cxr", model_name=model["run"]["name"][:64]
        ),
    )
    evaluations = [sr.QualitativeEvaluation(_own(_CLASS, "Class by the model"), _own(class_code(answer.called), answer.called))]
    if answer.zone:
        evaluations.append(sr.QualitativeEvaluation(_own(_ZONE, "Triage zone"), _own(answer.zone, _ZONES[answer.zone])))
    evaluation = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=_uid("tracking", identity), identifier="whole image"),
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(source)],
        algorithm_id=sr.AlgorithmIdentification(
            name="cxr, research use only",
            version=version("cxr"),
            parameters=[f"run {model['run']['id']}", f"operating point {point}"],
        ),
        qualitative_evaluations=evaluations,
        measurements=[
            sr.Measurement(_own(f"p_{code}", f"Probability of {name}"), answer.calibrated[code], codes.UCUM.NoUnits)
            for name, code in zip(classes, map(slug, classes), strict=True)
        ],
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[evaluation],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return sr.ComprehensiveSR(
        evidence=[source],
        content=content[0],
        series_instance_uid=_uid("series", identity),
        series_number=1,
        sop_instance_uid=_uid("instance", identity),
        instance_number=1,
        manufacturer="cxr",
        series_description="Research use only, not verified",
        is_complete=True,
        is_final=False,
        is_verified=False,
    )


def class_code(name: str) -> str:
    """The code of a class: its slug, marked where that is the code of something else, or of the probability of another class."""
    code = slug(name)
    return f"class_{code}" if code in (_CLASS, _ZONE, *_ZONES) or code.startswith(("p_", "class_")) else code


def _own(code: str, meaning: str) -> Any:
    """A concept of this scheme. A code of more than 16 characters is a Long Code Value (DICOM PS3.3, section 8.1)."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code, _OWN, meaning[:64])


def _uid(*parts: str) -> str:
    """A UID that follows from the parts (DICOM PS3.5, annex B.2: 2.25 and a number of 128 bits)."""
    digest = hashlib.sha256(" ".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
