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
from tests.evaluation.made import skilled

VALIDATION, EVALUATED = skilled(1), skilled(2, 200)
SETTINGS = EvaluationConfig(resamples=100)
ASSESSED = assess(Evidence(VALIDATION, EVALUATED, "test", EVALUATED.ids, pd.DataFrame(index=range(200))), SETTINGS)
CHOSEN = decisions_of(ASSESSED)


def test_decisions_equal_the_evaluation() -> None:
    assert [rule.name for rule in CHOSEN.rules] == [point.rule.name for point in ASSESSED.operating_points]
    for point in ASSESSED.operating_points:
        decided = decide(CHOSEN, EVALUATED.probabilities, point.rule)
        assert np.array_equal(decided.called, decisions(point.rule, EVALUATED, 0))
        assert (decided.called == 0).sum() == point.evaluated.called_positive
    assert np.array_equal(decided.sets, conformal_sets(EVALUATED, conformal_thresholds(VALIDATION, 0.05)))
    assert ASSESSED.triage is not None
    for zone in ASSESSED.triage.zones:
        assert decided.zones.count(zone.name) == sum(zone.images.values())


def test_decisions_survive_the_round_trip_and_files_without_roles_have_those_of_the_config(tmp_path: Path) -> None:
    file = tmp_path / "model/decisions.json"
    write_decisions(CHOSEN, file)
    assert read_decisions(file, SETTINGS) == CHOSEN
    content = json.loads(file.read_text())
    for new in ("version", "positive_class", "normal_class", "review_routine"):
        del content[new]
    file.write_text(json.dumps(content))
    earlier = read_decisions(file, EvaluationConfig(review_routine=True))
    assert (earlier.positive_class, earlier.normal_class, earlier.review_routine) == ("COVID", "Normal", True)
    assert "routine" not in decide(earlier, EVALUATED.probabilities, earlier.rules[0]).zones


def test_decisions_without_a_positive_class_have_argmax_alone_and_no_zone(tmp_path: Path) -> None:
    other = Decisions(["A", "B", "C"], 1.0, [], CHOSEN.conformal, "none", version=2)
    assert other.rule("sensitivity_target") is None
    argmax = other.rule("argmax")
    assert argmax is not None
    with pytest.raises(KeyError):  # thresholds of other classes
        decide(other, EVALUATED.probabilities, argmax)
    write_decisions(other, tmp_path / "decisions.json")
    with pytest.raises(ValueError, match="conformal thresholds are not of its classes"):
        read_decisions(tmp_path / "decisions.json", SETTINGS)


@pytest.mark.parametrize("content", ["", "[]", '{"classes": ["A", "B"]}', '{"classes": 3}'])
def test_other_content_is_rejected(content: str, tmp_path: Path) -> None:
    (tmp_path / "decisions.json").write_text(content)
    with pytest.raises(ValueError, match=r"validation error|conformal"):
        read_decisions(tmp_path / "decisions.json", SETTINGS)
