"""Decisions: what a file says is what the evaluation did with the same probabilities."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Evidence, assess
from cxr.evaluation.conformal import conformal_sets, conformal_thresholds
from cxr.evaluation.decisions import Decisions, decide, decisions_of, read_decisions, write_decisions
from cxr.evaluation.operating_points import decisions
from cxr.evaluation.predictions import Predictions

RNG = np.random.default_rng(0)
CLASSES = ("COVID", "Normal", "Viral Pneumonia")


def made(count: int) -> Predictions:
    labels = RNG.integers(0, 3, count)
    logits = RNG.normal(size=(count, 3)) + 2 * np.eye(3)[labels]
    exponents = np.exp(logits)
    ids = tuple(f"{row}.png" for row in range(count))
    return Predictions(ids, CLASSES, labels, exponents / exponents.sum(axis=1, keepdims=True))


VALIDATION, EVALUATED = made(300), made(200)
SETTINGS = EvaluationConfig(resamples=100)
EVIDENCE = Evidence(VALIDATION, EVALUATED, "test", EVALUATED.ids, pd.DataFrame(index=range(200)))
FOUND = assess(EVIDENCE, SETTINGS)


def test_decisions_equal_the_evaluation() -> None:
    said = decisions_of(FOUND)
    assert [rule.name for rule in said.rules] == [point.rule.name for point in FOUND.operating_points]
    for point in FOUND.operating_points:
        decided = decide(said, EVALUATED.probabilities, point.rule)
        assert np.array_equal(decided.called, decisions(point.rule, EVALUATED, 0))
        assert (decided.called == 0).sum() == point.evaluated.called_positive
    assert np.array_equal(decided.sets, conformal_sets(EVALUATED, conformal_thresholds(VALIDATION, 0.05)))
    assert FOUND.triage is not None
    for zone in FOUND.triage.zones:
        assert decided.zones.count(zone.name) == sum(zone.images.values())


def test_decisions_survive_the_round_trip(tmp_path: Path) -> None:
    write_decisions(decisions_of(FOUND), tmp_path / "model/decisions.json")
    assert read_decisions(tmp_path / "model/decisions.json", SETTINGS) == decisions_of(FOUND)


def test_a_file_of_an_earlier_version_has_the_roles_of_its_config(tmp_path: Path) -> None:
    write_decisions(decisions_of(FOUND), tmp_path / "decisions.json")
    said = json.loads((tmp_path / "decisions.json").read_text())
    for new in ("version", "positive_class", "normal_class", "review_routine"):
        del said[new]
    (tmp_path / "decisions.json").write_text(json.dumps(said))
    found = read_decisions(tmp_path / "decisions.json", EvaluationConfig(review_routine=True))
    assert (found.positive_class, found.normal_class, found.review_routine) == ("COVID", "Normal", True)
    assert "routine" not in decide(found, EVALUATED.probabilities, found.rules[0]).zones


def test_without_a_positive_class_there_is_argmax_alone_and_no_zone(tmp_path: Path) -> None:
    other = Decisions(["A", "B", "C"], 1.0, [], decisions_of(FOUND).conformal, "none", version=2)
    assert other.rule("sensitivity_target") is None
    argmax = other.rule("argmax")
    assert argmax is not None
    with pytest.raises(KeyError):  # thresholds of other classes
        decide(other, EVALUATED.probabilities, argmax)
    write_decisions(other, tmp_path / "decisions.json")
    with pytest.raises(ValueError, match="conformal thresholds are not of its classes"):
        read_decisions(tmp_path / "decisions.json", SETTINGS)


@pytest.mark.parametrize("content", ["", "[]", '{"classes": ["A", "B"]}', '{"classes": 3}'])
def test_anything_else_is_rejected(content: str, tmp_path: Path) -> None:
    (tmp_path / "decisions.json").write_text(content)
    with pytest.raises(ValueError, match=r"validation error|conformal"):
        read_decisions(tmp_path / "decisions.json", SETTINGS)
