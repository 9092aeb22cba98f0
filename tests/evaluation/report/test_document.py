"""report.json: it matches its schema, survives a round trip, and holds no nan."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cxr.evaluation.report.document import Document, from_json, schema, to_json
from tests.evaluation.documents import document
from tests.evaluation.made import skilled


def test_document_fits_its_schema_and_survives_a_round_trip() -> None:
    report = document(skilled(1))
    content = json.loads(to_json(report))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(content, schema())
    assert from_json(to_json(report)) == report
    content["assessment"]["images"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema())


def test_nan_is_neither_written_nor_read() -> None:
    report = document(skilled(1))
    temperature = replace(report.assessment.temperature, value=math.nan)
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(replace(report, assessment=replace(report.assessment, temperature=temperature)))
    with pytest.raises(ValueError, match="it holds NaN, which is not a number"):
        from_json(to_json(report).replace('"correlation": 0.1', '"correlation": NaN'))


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 2}', "null"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"validation error|JSON|Expecting value|no report of version [12]"):
        from_json(text)


@pytest.mark.parametrize("version", [1, 2])
def test_report_of_an_earlier_version_is_read_with_the_names_of_today(version: int) -> None:
    """The files were written by earlier versions; their numbers are those of today's code for the same predictions."""
    read = from_json(Path(__file__).with_name(f"version_{version}.json").read_text(encoding="utf-8"))
    assert _rounded(asdict(_as_known_before(read))) == _rounded(asdict(_as_known_before(document(skilled(1)))))


def _rounded(value: Any) -> Any:
    """To 12 digits: processors sum in other orders."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _as_known_before(report: Document) -> Document:
    """Without what version 3 added, and without the words of verdicts."""
    assessment, saliency, context = report.assessment, report.saliency, report.context
    assert saliency is not None
    assert assessment.decision_curve is not None
    points = [replace(point, verdict="") for point in assessment.operating_points if point.rule.name != "calibrated"]
    stages = [replace(stage, spread=None, images=0) for stage in saliency.randomisation]
    return replace(
        report,
        assessment=replace(
            assessment,
            operating_points=points,
            decision_curve=replace(assessment.decision_curve, low=[], high=[]),
            positive_calibration=None,
            positive_calibration_after=None,
            subgroups=[replace(subgroup, gaps={}) for subgroup in assessment.subgroups],
        ),
        saliency=replace(saliency, randomisation=stages, regions=[], evenly=(0.0, 0.0)),
        context=replace(context, started="", user="", data=replace(context.data, identity=None, flow={})),
    )
