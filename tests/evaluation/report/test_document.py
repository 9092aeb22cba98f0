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


def test_it_fits_its_schema_and_comes_back_as_it_was() -> None:
    made = document(skilled(1))
    said = json.loads(to_json(made))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(said, schema())
    assert from_json(to_json(made)) == made
    said["assessment"]["images"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(said, schema())


def test_what_is_no_number_is_refused() -> None:
    made = document(skilled(1))
    broken = replace(made, assessment=replace(made.assessment, temperature=replace(made.assessment.temperature, value=math.nan)))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(broken)


def test_a_number_that_is_none_is_refused_when_it_is_read_too() -> None:
    with pytest.raises(ValueError, match="it holds NaN, which is not a number"):
        from_json(to_json(document(skilled(1))).replace('"correlation": 0.1', '"correlation": NaN'))


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 2}', "null"])
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"validation error|JSON|Expecting value|no report of version [12]"):
        from_json(text)


@pytest.mark.parametrize("version", [1, 2])
def test_a_report_of_an_earlier_version_is_read_with_the_names_of_today(version: int) -> None:
    """The files were written by earlier versions; their numbers are those that today's code finds in the same predictions."""
    read = from_json(Path(__file__).with_name(f"version_{version}.json").read_text(encoding="utf-8"))
    assert _rounded(asdict(_as_known_before(read))) == _rounded(asdict(_as_known_before(document(skilled(1)))))


def _rounded(value: Any) -> Any:
    """To 12 digits: processors sum in other orders."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _as_known_before(told: Document) -> Document:
    """Without what version 3 added, and without the words of verdicts."""
    found, saliency, context = told.assessment, told.saliency, told.context
    assert saliency is not None
    assert found.decision_curve is not None
    points = [replace(point, verdict="") for point in found.operating_points if point.rule.name != "calibrated"]
    stages = [replace(stage, spread=None, images=0) for stage in saliency.randomisation]
    return replace(
        told,
        assessment=replace(
            found,
            operating_points=points,
            decision_curve=replace(found.decision_curve, low=[], high=[]),
            positive_calibration=None,
            positive_calibration_after=None,
        ),
        saliency=replace(saliency, randomisation=stages, regions=[], evenly=(0.0, 0.0)),
        context=replace(context, started="", user="", data=replace(context.data, identity=None, flow={})),
    )
