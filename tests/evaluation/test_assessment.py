"""The assessment: no crash, no silent nan, and consistent numbers."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cxr.config.schema import EvaluationConfig
from cxr.errors import UserError
from cxr.evaluation.assessment import Assessment, Evidence, assess, check_evaluation, numbers_of, subgroup_columns
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
        found = assessed(*pair)
        logged = numbers_of(found)
    assert all(np.isfinite(value) for value in logged.values())
    for name, each in found.estimates.items():
        assert each.value is not None or each.why_not, name
    for point in found.operating_points:
        for rate in (point.evaluated.sensitivity, point.evaluated.specificity, point.evaluated.ppv, point.evaluated.npv):
            assert rate.value is not None or rate.why_not
        assert point.verdict
    assert found.triage is not None
    assert sum(sum(zone.images.values()) for zone in found.triage.zones) == found.images
    for work in found.triage.workload:
        for each in (work.fast_track, work.review, work.routine, work.delayed, work.positives_of_fast_track):
            assert each.value is not None or each.why_not


def test_parts_of_an_assessment_agree_with_each_other() -> None:
    found = assessed(skilled(1), skilled(2))
    argmax = found.operating_points[0].evaluated
    assert argmax.sensitivity == found.estimates["covid/sensitivity"]
    assert argmax.ppv == found.estimates["covid/ppv"]
    assert found.calibration.brier == pytest.approx(found.estimates["brier"].value)
    assert found.calibration.nll == pytest.approx(found.estimates["log_loss"].value)
    assert np.array(found.confusion).sum() == found.images == 300
    assert np.trace(found.confusion) == found.estimates["accuracy"].count
    fast = next(point for point in found.operating_points if point.rule.name == "specificity_target")
    assert found.triage is not None
    assert found.triage.zones[0].of_positives == fast.evaluated.sensitivity
    assert sum(each.images for each in found.subgroups) == 300
    numbers = numbers_of(found)
    assert numbers["points/argmax/sensitivity"] == found.estimates["covid/sensitivity"].value
    assert numbers["points/argmax/sensitivity_lo"] == found.estimates["covid/sensitivity"].low
    assert numbers["points/sensitivity_target/threshold"] == found.operating_points[1].rule.threshold


def test_the_order_of_the_images_changes_nothing() -> None:
    validation, evaluated = skilled(1), skilled(2)
    order = np.random.default_rng(0).permutation(300)
    there = assess(Evidence(validation, evaluated, "test", evaluated.ids, pd.DataFrame(index=range(300))), QUICK)
    back = evaluated.only(order)
    here = assess(Evidence(validation.only(order[::-1]), back, "test", back.ids, pd.DataFrame(index=range(300))), QUICK)
    assert here.operating_points[1].rule == there.operating_points[1].rule
    assert here.estimates["auc_macro_ovr"].low == pytest.approx(there.estimates["auc_macro_ovr"].low)
    assert here.calibration.ece == pytest.approx(there.calibration.ece)
    assert here.failures == there.failures


def test_other_targets_and_costs_change_what_follows_from_them_and_nothing_else() -> None:
    usual, strict = assessed(skilled(1), skilled(2)), EvaluationConfig(resamples=100, sensitivity=0.8, missed_cost=50)
    other = assessed(skilled(1), skilled(2), strict)
    assert other.estimates == usual.estimates
    assert other.operating_points[1].rule.threshold != usual.operating_points[1].rule.threshold
    assert other.operating_points[2].rule == usual.operating_points[2].rule
    assert other.costs[0] == [0, 50, 50]
    named = assessed(skilled(1), skilled(2), EvaluationConfig(resamples=100, costs={"normal": {"covid": 3}}))
    assert named.costs == [[0, 1, 1], [3, 0, 1], [1, 1, 0]]  # given costs replace that of a miss


def test_where_nothing_is_left_to_judge_that_is_said() -> None:
    only = skilled(1)
    found = assess(Evidence(only, only, "val", only.ids, pd.DataFrame(index=range(300))), QUICK)
    assert found.chosen_on_same
    assert any("these images stopped the training and chose thresholds" in note for note in found.notes)
    assert found.operating_points[1].verdict.startswith("Optimistic, since these images chose it. ")
    pairs = assess(Evidence(skilled(2), only, "test", [str(row // 2) for row in range(300)], pd.DataFrame(index=range(300))), QUICK)
    assert pairs.groups == 150
    assert any("form 150 groups" in note for note in pairs.notes)


def test_groups_reach_every_interval_and_the_fit_on_validation() -> None:
    """Each image twice: intervals are those without the copies, but for the factor for few groups."""
    validation, evaluated = skilled(1), skilled(2)
    twice = np.repeat(np.arange(300), 2)
    columns = pd.DataFrame({"source": [f"site {row % 3}" for row in range(300)]})
    alone = assess(Evidence(validation, evaluated, "test", evaluated.ids, columns, validation.ids), QUICK)
    twins = validation.only(twice), evaluated.only(twice)
    found = assess(Evidence(*twins, "test", twins[1].ids, columns.iloc[twice].reset_index(drop=True), twins[0].ids), QUICK)
    rates_of = [[point.evaluated for point in each.operating_points] for each in (alone, found)]
    for one, two in zip(*rates_of, strict=True):
        for name in ("sensitivity", "specificity", "ppv", "npv"):
            a, b = getattr(one, name), getattr(two, name)
            assert (b.value, b.of) == (a.value, 2 * a.of)
            assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=0.01)
    assert alone.triage is not None
    assert found.triage is not None
    pairs = [
        *((a.of_others, b.of_others) for a, b in zip(alone.triage.zones, found.triage.zones, strict=True)),
        (alone.conformal.overall, found.conformal.overall),
        (alone.subgroups[0].estimates["accuracy"], found.subgroups[0].estimates["accuracy"]),
        (alone.subgroups[0].rates["argmax"].specificity, found.subgroups[0].rates["argmax"].specificity),
        *((alone.estimates[name], found.estimates[name]) for name in ("accuracy", "covid/auc")),
    ]
    for a, b in pairs:
        assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=0.01)
    assert found.operating_points[1].on_validation.sensitivity.low == pytest.approx(
        alone.operating_points[1].on_validation.sensitivity.low, abs=0.01
    )
    few = skilled(6, 24).only(np.repeat(np.arange(24), 6))
    fits = [assess(Evidence(few, evaluated, "test", evaluated.ids, columns, ids), QUICK).temperature for ids in (None, few.ids)]
    assert [fit.value == 1 for fit in fits] == [False, True]


def test_without_a_positive_class_the_rest_is_there_and_the_way_is_told() -> None:
    classes = ("ankle", "knee")
    found = assessed(skilled(1, classes=classes), skilled(2, classes=classes))
    assert (found.triage, found.decision_curve, found.operating_points) == (None, None, [])
    assert "evaluation.urgent=CLASS" in found.no_positive_class
    named = assessed(skilled(1, classes=classes), skilled(2, classes=classes), EvaluationConfig(resamples=100, urgent="Knee"))
    assert named.triage is not None
    assert (named.triage.positive_class, named.triage.normal_class) == ("knee", None)
    assert named.triage.zones[2].of_others.count == 0


def test_mistakes_in_the_config_are_told_before_anything_is_trained() -> None:
    with pytest.raises(UserError, match=r"evaluation.urgent=covd is not a class of this data: did you mean covid"):
        check_evaluation(EvaluationConfig(urgent="covd"), ["COVID", "Normal"], [])
    with pytest.raises(UserError, match="are both Normal"):
        check_evaluation(EvaluationConfig(urgent="normal"), ["COVID", "Normal"], [])
    with pytest.raises(UserError, match=r"evaluation.costs.covd.normal: the data has no class covd"):
        check_evaluation(EvaluationConfig(costs={"covd": {"normal": 2}}), ["COVID", "Normal"], [])
    with pytest.raises(UserError, match="the manifest has no column sex"):
        check_evaluation(EvaluationConfig(subgroups=["sex"]), ["COVID", "Normal"], [])
    check_evaluation(EvaluationConfig(subgroups=["sex"]), ["COVID", "Normal"], ["sex"])


def test_subgroups_are_by_source_and_what_the_manifest_keeps(compose_config: Compose) -> None:
    assert subgroup_columns(compose_config()) == ["source"]
    kept = compose_config("data=manifest", "data.manifest=m.csv", "data.columns.more=[sex,age]")
    assert subgroup_columns(kept) == ["source", "sex", "age"]
    assert subgroup_columns(compose_config("evaluation.subgroups=[mode]")) == ["mode"]


def test_five_images_and_twenty_classes_can_be_said_as_json() -> None:
    classes = ("COVID", "Normal", *(f"class {index}" for index in range(18)))
    found = assessed(skilled(1, 40, classes=classes), skilled(2, 5, classes=classes))
    assert json.dumps(numbers_of(found), allow_nan=False)
    assert found.estimates["auc_macro_ovr"].why_not.endswith("has no value")
