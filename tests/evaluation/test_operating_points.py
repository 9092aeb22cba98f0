"""Operating points: no better threshold exists by brute force, and their verdicts are correct."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from cxr.evaluation.operating_points import (
    Outcome,
    choose_rules,
    decisions,
    evaluate_rules,
    images_needed,
    rates,
    right_needed,
    threshold_for_sensitivity,
    threshold_for_specificity,
)
from tests.evaluation.made import made, skilled

COSTS = (1 - np.eye(3)).astype(np.float32)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 60), target=st.floats(0.01, 0.99), steps=st.sampled_from([4, 10**6]))
def test_thresholds_meet_their_target_and_none_does_better(seed: int, count: int, target: float, steps: int) -> None:
    rng = np.random.default_rng(seed)
    positive = np.arange(count) < rng.integers(1, count)
    scores = rng.integers(0, steps, count) / steps
    cuts = [*scores, *(np.nextafter(scores, 2)), 0.0]
    high = threshold_for_sensitivity(scores, positive, target)
    assert (scores[positive] >= high).mean() >= target - 1e-9
    assert high == max(cut for cut in cuts if (scores[positive] >= cut).mean() >= target - 1e-9 and cut in scores)
    low = threshold_for_specificity(scores, positive, target)
    assert (scores[~positive] < low).mean() >= target - 1e-9 or low == 0
    best = max((scores[positive] >= cut).mean() for cut in cuts if (scores[~positive] < cut).mean() >= target - 1e-9)
    assert (scores[positive] >= low).mean() == best


def test_rules_come_from_validation_alone_and_are_evaluated_elsewhere() -> None:
    validation, test = skilled(1), skilled(2)
    rules = choose_rules(validation, 0, 0.95, 0.99, COSTS, 1.3)
    assert [rule.name for rule in rules] == ["argmax", "sensitivity_target", "specificity_target", "least_cost", "calibrated"]
    points = evaluate_rules(rules, validation, test, 0, COSTS, test.ids, 200)
    assert (points[1].on_validation.sensitivity.value or 0) >= 0.95
    assert (points[2].on_validation.specificity.value or 0) >= 0.99
    for point in points:
        called, truth = decisions(point.rule, test, 0) == 0, test.labels == 0
        assert point.evaluated.sensitivity.value == pytest.approx(recall_score(truth, called))
        assert point.evaluated.specificity.value == pytest.approx(recall_score(~truth, ~called))
        assert point.evaluated.ppv.value == pytest.approx(precision_score(truth, called))
        assert point.evaluated.npv.value == pytest.approx(precision_score(~truth, ~called))
        assert point.cost_per_image.value == pytest.approx((decisions(point.rule, test, 0) != test.labels).mean())


def test_equal_costs_decide_for_the_most_probable_class_and_dear_misses_against_missing() -> None:
    shown = skilled(4)
    equal = choose_rules(shown, 0, 0.9, 0.9, COSTS, 1.7)[3]
    np.testing.assert_array_equal(decisions(equal, shown, 0), shown.predicted)
    dear = COSTS.copy()
    dear[0] *= 20
    careful = choose_rules(shown, 0, 0.9, 0.9, dear, 1.0)[3]
    by_hand = [int(np.argmin([sum(p[i] * dear[i, j] for i in range(3)) for j in range(3)])) for p in shown.probabilities]
    assert decisions(careful, shown, 0).tolist() == by_hand
    assert (decisions(careful, shown, 0) == 0).sum() > (shown.predicted == 0).sum()


def test_below_a_threshold_the_most_probable_other_class_is_called() -> None:
    shown = made(np.array([0, 1]), np.array([[0.6, 0.1, 0.3], [0.2, 0.5, 0.3]]))
    rule = choose_rules(shown, 0, 0.5, 0.5, COSTS, 1)[1]
    assert rule.threshold == 0.6
    assert decisions(rule, shown, 0).tolist() == [0, 1]


def test_verdict_says_whether_a_target_is_demonstrated() -> None:
    chose, judges, poor = skilled(1, 2000, skill=5), skilled(3, 2000, skill=5), skilled(2, 600, skill=0.5)
    eager, strict = choose_rules(chose, 0, 0.999, 0.8, COSTS, 1), choose_rules(chose, 0, 0.95, 0.99, COSTS, 1)
    shown = evaluate_rules(eager, chose, judges, 0, COSTS, judges.ids, 100)[2]
    assert shown.verdict.startswith(("Target not met: specificity", "Target demonstrated: specificity"))
    assert (shown.outcome is Outcome.DEMONSTRATED) == ((shown.evaluated.specificity.low or 0) >= 0.8)
    missed = evaluate_rules(strict, chose, poor, 0, COSTS, poor.ids, 100)[1]
    rate = missed.evaluated.sensitivity
    assert missed.verdict.startswith(f"Target not met: sensitivity {rate.value:.3f} ")
    needed = right_needed(0.95, rate.of or 0)
    assert f"To demonstrate it with {rate.of} COVID images, {needed} must be found; {rate.count} were." in missed.verdict
    few = evaluate_rules(strict, chose, poor.only(np.arange(12)), 0, COSTS, poor.ids[:12], 100)[1]
    count = few.evaluated.sensitivity.of
    assert f"even {count} of {count} could not demonstrate 0.95: at least 73 are needed, all found." in few.verdict
    others = poor.only(np.flatnonzero(poor.labels))
    none = evaluate_rules(strict, chose, others, 0, COSTS, others.ids, 100)[1]
    assert none.outcome is Outcome.UNKNOWN
    called = none.evaluated.called_positive
    assert none.verdict == f"not known: no image of COVID; {called} of 474 images of other classes are called COVID."
    assert {none.evaluated.sensitivity.value, none.evaluated.specificity.value, none.evaluated.npv.value} == {None}


def test_eighty_images_of_one_patient_demonstrate_nothing() -> None:
    labels = np.repeat([0, 1], 80)
    perfect = made(labels, np.eye(3)[labels] * 0.97 + 0.01)
    rules = choose_rules(perfect, 0, 0.95, 0.9, COSTS, 1)[1:3]
    images = evaluate_rules(rules, skilled(1), perfect, 0, COSTS, perfect.ids, 50)
    assert [point.outcome for point in images] == [Outcome.DEMONSTRATED] * 2
    of_two = evaluate_rules(rules, skilled(1), perfect, 0, COSTS, ["one", "other"] * 80, 50)
    of_one = evaluate_rules(rules, skilled(1), perfect, 0, COSTS, ["sick"] * 80 + ["well"] * 80, 50)
    assert [point.outcome for point in [*of_two, *of_one]] == [Outcome.NOT_DEMONSTRATED] * 4
    assert of_one[0].verdict == (
        "Target met but not demonstrated: sensitivity 1.000 (0.000 to 1.000) for a target of 0.95. With 80 COVID images of 1 group "
        "(patients or copies) even 80 of 80 could not demonstrate 0.95: at least 73 groups are needed, all found."
    )
    pairs = made(labels, np.where(np.arange(160)[:, None] % 40 < 8, np.eye(3)[1 - labels], np.eye(3)[labels]))
    (point,) = evaluate_rules(rules[1:], skilled(1), pairs, 0, COSTS, [str(row // 2) for row in range(160)], 50)
    assert point.outcome is Outcome.NOT_MET
    assert "To demonstrate it with 80 images of other classes of 40 groups (patients or copies), at least 65" in point.verdict


def test_margin_counts_images_of_a_group_as_alike() -> None:
    chose = skilled(1, 2000, skill=2)
    copies = chose.only(np.repeat(np.arange(2000), 4))
    by_image, by_group = (choose_rules(copies, 0, 0.9, 0.9, COSTS, 1, True, groups)[1] for groups in (None, copies.ids))
    assert by_group.threshold == choose_rules(chose, 0, 0.9, 0.9, COSTS, 1, True)[1].threshold
    assert (by_group.threshold or 1) < (by_image.threshold or 0)
    one = choose_rules(chose, 0, 0.9, 0.9, COSTS, 1, True, ["patient"] * 2000)[1]
    assert "needs 35 groups (patients or copies)" in one.in_words


@given(target=st.floats(0.5, 0.99), images=st.integers(1, 400))
def test_least_number_that_demonstrates_a_target(target: float, images: int) -> None:
    lower = [proportion_confint(count, images, method="wilson")[0] for count in range(images + 1)]
    assert right_needed(target, images) == next((count for count, low in enumerate(lower) if low >= target), None)
    assert (right_needed(target, images) is None) == (images < images_needed(target))


def test_margin_lets_the_lower_bound_on_validation_reach_the_target() -> None:
    chose = skilled(1, 2000, skill=2)
    plain, safe = (choose_rules(chose, 0, 0.9, 0.9, COSTS, 1, margin)[1] for margin in (False, True))
    assert (safe.threshold or 1) < (plain.threshold or 0)
    scores = chose.probabilities[chose.labels == 0, 0]
    hits = int((scores >= (safe.threshold or 1)).sum())
    low, lower = (proportion_confint(count, len(scores), method="wilson")[0] for count in (hits, hits - 1))
    assert low >= 0.9 > lower
    few = skilled(1, 40)
    all_found = choose_rules(few, 0, 0.95, 0.9, COSTS, 1, margin=True)[1]
    assert all_found.threshold == few.probabilities[few.labels == 0, 0].min()
    assert "as a lower bound of 0.95 needs 73 images" in all_found.in_words


def test_class_without_validation_images_has_no_threshold() -> None:
    shown = skilled(1).only(np.flatnonzero(skilled(1).labels))
    assert "sensitivity_target" not in [rule.name for rule in choose_rules(shown, 0, 0.9, 0.9, COSTS, 1)]
    assert rates(np.zeros(3, bool), np.ones(3, bool)).specificity.why_not == "every image is of the positive class"
