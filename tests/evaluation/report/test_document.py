"""report.json: it matches its schema, survives a round trip, and holds no nan."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from cxr.evaluation.report.document import from_json, schema, to_json
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
    with pytest.raises(ValueError, match="it holds NaN, which is no number"):
        from_json(to_json(document(skilled(1))).replace('"correlation": 0.1', '"correlation": NaN'))


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "null"])
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"validation error|JSON|Expecting value|no report of version 1"):
        from_json(text)


def test_a_report_of_version_1_is_read_with_the_names_of_today() -> None:
    """The file was written by version 0.1; its numbers are those that today's code finds in the same predictions."""
    read = from_json(Path(__file__).with_name("version_1.json").read_text(encoding="utf-8"))
    assert read == document(skilled(1))
