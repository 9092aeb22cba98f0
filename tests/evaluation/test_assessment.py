"""The assessment: no crash, no silent nan, and consistent numbers."""

import json
import warnings
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cxr.config.schema import EvaluationConfig
from cxr.errors import UserError
from cxr.evaluation.assessment import Assessment, Evidence, assess, check_evaluation, numbers_of, subgroup_columns
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.predictions import Predictions
from tests.conftest import Compose
from tests.evaluation.made import any_pairs, skilled

QUICK = EvaluationConfig(resamples=100)


def assessed(validation: Predictions, evaluated: Predictions, settings: EvaluationConfig = QUICK) -> Assessment:
    columns = pd.DataFrame({"source": [f"site {row % 3}" for row in range(len(evaluated.labels))]})
    return assess(Evidence(validation, evaluated, "test", evaluated.ids, columns), settings)


@given(pair=any_pairs())
@settings(max_examples=60)
def test_every_prediction_gives_numbers_or_reasons(pair: tuple[Predictions, Predictions]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assessment = assessed(*pair)
        logged = numbers_of(assessment)
    assert all(np.isfinite(value) for value in logged.values())
    assert all(point.verdict for point in assessment.operating_points)
    assert assessment.triage is not None
    assert sum(sum(zone.images.values()) for zone in assessment.triage.zones) == assessment.images
    parts = [point.evaluated for point in assessment.operating_points], assessment.triage.workload
    values = [*assessment.estimates.values(), *(value for part in chain(*parts) for value in vars(part).values())]
    for estimate in values:
        assert not isinstance(estimate, Estimate) or estimate.value is not None or estimate.why_not


def test_parts_of_an_assessment_agree_with_each_other() -> None:
    assessment = assessed(skilled(1), skilled(2))
    estimates, (argmax, sensitive, fast, *_) = assessment.estimates, assessment.operating_points
    assert argmax.evaluated.sensitivity == estimates["covid/sensitivity"]
    assert argmax.evaluated.ppv == estimates["covid/ppv"]
    assert assessment.calibration.brier == pytest.approx(estimates["brier"].value)
    assert assessment.calibration.nll == pytest.approx(estimates["log_loss"].value)
    assert np.array(assessment.confusion).sum() == assessment.images == 300
    assert np.trace(assessment.confusion) == estimates["accuracy"].count
    assert assessment.triage is not None
    assert assessment.triage.zones[0].of_positives == fast.evaluated.sensitivity
    assert sum(subgroup.images for subgroup in assessment.subgroups) == 300
    numbers = numbers_of(assessment)
    assert numbers["points/argmax/sensitivity"] == estimates["covid/sensitivity"].value
    assert numbers["points/argmax/sensitivity_lo"] == estimates["covid/sensitivity"].low
    assert numbers["points/sensitivity_target/threshold"] == sensitive.rule.threshold


def test_order_of_the_images_changes_nothing() -> None:
    validation, evaluated = skilled(1), skilled(2)
    order = np.random.default_rng(0).permutation(300)
    there, here = assessed(validation, evaluated), assessed(validation.only(order[::-1]), evaluated.only(order))
    assert here.operating_points[1].rule == there.operating_points[1].rule
    assert here.estimates["auc_macro_ovr"].low == pytest.approx(there.estimates["auc_macro_ovr"].low)
    assert here.calibration.ece == pytest.approx(there.calibration.ece)
    assert here.failures == there.failures


def test_targets_and_costs_change_what_follows_from_them_alone() -> None:
    usual, strict = assessed(skilled(1), skilled(2)), EvaluationConfig(resamples=100, sensitivity=0.8, missed_cost=50)
    other = assessed(skilled(1), skilled(2), strict)
    assert other.estimates == usual.estimates
    assert other.operating_points[1].rule.threshold != usual.operating_points[1].rule.threshold
    assert other.operating_points[2].rule == usual.operating_points[2].rule
    assert other.costs[0] == [0, 50, 50]
    named = assessed(skilled(1), skilled(2), EvaluationConfig(resamples=100, costs={"normal": {"covid": 3}}))
    assert named.costs == [[0, 1, 1], [3, 0, 1], [1, 1, 0]]  # given costs replace that of a miss


def test_notes_name_a_missing_test_part_and_groups() -> None:
    only, columns = skilled(1), pd.DataFrame(index=range(300))
    assessment = assess(Evidence(only, only, "val", only.ids, columns), QUICK)
    assert assessment.chosen_on_same
    assert any("these images stopped the training and chose thresholds" in note for note in assessment.notes)
    assert assessment.operating_points[1].verdict.startswith("Optimistic, since these images chose it. ")
    pairs = assess(Evidence(skilled(2), only, "test", [str(row // 2) for row in range(300)], columns), QUICK)
    assert pairs.groups == 150
    assert any("form 150 groups" in note for note in pairs.notes)


def test_groups_reach_every_interval_and_the_fit_on_validation() -> None:
    """Each image twice: intervals are those without the copies, but for the factor for few groups."""
    validation, evaluated = skilled(1), skilled(2)
    twice = np.repeat(np.arange(300), 2)
    columns = pd.DataFrame({"source": [f"site {row % 3}" for row in range(300)]})
    alone = assess(Evidence(validation, evaluated, "test", evaluated.ids, columns, validation.ids), QUICK)
    twins = validation.only(twice), evaluated.only(twice)
    copied = assess(Evidence(*twins, "test", twins[1].ids, columns.iloc[twice].reset_index(drop=True), twins[0].ids), QUICK)

    def intervals(assessment: Assessment) -> list[Estimate]:
        assert assessment.triage is not None
        points, worst = assessment.operating_points, assessment.subgroups[0]
        return [
            *(getattr(point.evaluated, name) for point in points for name in ("sensitivity", "specificity", "ppv", "npv")),
            *(zone.of_others for zone in assessment.triage.zones),
            *(assessment.conformal.overall, worst.estimates["accuracy"], worst.rates["argmax"].specificity),
            *(assessment.estimates["accuracy"], assessment.estimates["covid/auc"], points[1].on_validation.sensitivity),
        ]

    for a, b in zip(intervals(alone), intervals(copied), strict=True):
        assert b.of == (2 * a.of if a.of else None)
        assert b.known == pytest.approx(a.known, abs=0.01)
    few = skilled(6, 24).only(np.repeat(np.arange(24), 6))
    fits = [assess(Evidence(few, evaluated, "test", evaluated.ids, columns, ids), QUICK).temperature for ids in (None, few.ids)]
    assert [fit.value == 1 for fit in fits] == [False, True]


def test_missing_positive_class_has_a_reason_and_a_setting() -> None:
    pair = skilled(1, classes=("ankle", "knee")), skilled(2, classes=("ankle", "knee"))
    assessment = assessed(*pair)
    assert (assessment.triage, assessment.decision_curve, assessment.operating_points) == (None, None, [])
    assert "evaluation.urgent=CLASS" in assessment.no_positive_class
    named = assessed(*pair, EvaluationConfig(resamples=100, urgent="Knee"))
    assert named.triage is not None
    assert (named.triage.positive_class, named.triage.normal_class) == ("knee", None)
    assert named.triage.routine_is_empty


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EvaluationConfig(urgent="covd"), r"evaluation.urgent=covd is not a class of this data: did you mean covid"),
        (EvaluationConfig(urgent="normal"), "are both Normal"),
        (EvaluationConfig(costs={"covd": {"normal": 2}}), r"evaluation.costs.covd.normal: the data has no class covd"),
        (EvaluationConfig(subgroups=["age"]), "the manifest has no column age"),
    ],
)
def test_mistake_in_the_config_is_refused(settings: EvaluationConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_evaluation(settings, ["COVID", "Normal"], ["sex"])
    check_evaluation(EvaluationConfig(subgroups=["sex"]), ["COVID", "Normal"], ["sex"])


def test_subgroups_are_by_source_and_what_the_manifest_keeps(compose_config: Compose) -> None:
    manifest = pd.DataFrame(columns=["path", "source", "sex", "age"])
    assert subgroup_columns(compose_config(), manifest) == ["source"]
    assert subgroup_columns(compose_config(), manifest.assign(view="AP")) == ["source", "view"]
    kept = compose_config("data=manifest", "data.manifest=m.csv", "data.columns.more=[sex,age]")
    assert subgroup_columns(kept, manifest) == ["source", "sex", "age"]
    assert subgroup_columns(compose_config("evaluation.subgroups=[mode]"), manifest) == ["mode"]


def test_five_images_and_twenty_classes_are_valid_json() -> None:
    classes = ("COVID", "Normal", *(f"class {index}" for index in range(18)))
    assessment = assessed(skilled(1, 40, classes=classes), skilled(2, 5, classes=classes))
    assert json.dumps(numbers_of(assessment), allow_nan=False)
    assert assessment.estimates["auc_macro_ovr"].why_not.startswith("not known: no image of ")
