"""Triage: zones by their definition, and their consequences for patients by hand."""

import numpy as np
import pytest

from cxr.evaluation.estimates import proportion
from cxr.evaluation.operating_points import Rule, rates
from cxr.evaluation.roles import Roles
from cxr.evaluation.triage import ZONES, Zone, evaluate_triage, predictive_values, workload, zones_of
from tests.evaluation.made import made, skilled

ROLES = Roles(positive_class=0, normal_class=1)
SETS = np.array([0.1, 0.2, 0.3])  # probabilities that put a class into a set
RULES = [Rule("sensitivity_target", "", threshold=0.15), Rule("specificity_target", "", threshold=0.9)]


def zone(*probabilities: float, roles: Roles = ROLES, review: bool = False) -> str:
    one = made(np.array([0]), np.array([probabilities]))
    return ZONES[zones_of(one, roles, RULES, set_thresholds=SETS, review_routine=review)[0]]


def test_zones_by_their_definition() -> None:
    assert zone(0.92, 0.05, 0.03) == "fast_track"
    assert zone(0.05, 0.9, 0.05) == "routine"
    assert zone(0.12, 0.8, 0.08) == "review"  # COVID is in its set, though below the sensitivity target
    assert zone(0.05, 0.6, 0.35) == "review"  # another disease is in its set
    assert zone(0.01, 0.1, 0.89) == "review"  # called another disease
    assert zone(0.5, 0.3, 0.2) == "review"
    # Nothing is routine where every image that is called normal is reviewed, or no class is normal.
    assert zone(0.05, 0.9, 0.05, review=True) == "review"
    assert zone(0.05, 0.9, 0.05, roles=Roles(0, None)) == "review"
    assert zone(0.95, 0.04, 0.01, review=True) == "fast_track"


def test_workload_by_hand_adds_up_to_all_patients() -> None:
    zones = [
        Zone("fast_track", proportion(60, 100, ""), proportion(10, 1000, ""), {}),
        Zone("review", proportion(36, 100, ""), proportion(290, 1000, ""), {}),
        Zone("routine", proportion(4, 100, ""), proportion(700, 1000, ""), {}),
    ]
    work = workload(zones, 0.1)
    assert work.fast_track.value == pytest.approx(100 * 0.6 + 900 * 0.01)
    assert work.delayed.value == pytest.approx(4)
    assert sum(patients.value or 0 for patients in (work.fast_track, work.review, work.routine)) == pytest.approx(1000)
    assert work.delayed.low == pytest.approx(100 * (zones[2].of_positives.low or 0))
    assert work.positives_of_fast_track.value == pytest.approx(60 / 69)
    assert (work.positives_of_fast_track.low or 1) < 60 / 69 < (work.positives_of_fast_track.high or 0)


@pytest.mark.parametrize("prevalence", [0.01, 0.4])
def test_predictive_values_are_those_of_a_population_of_that_prevalence(prevalence: float) -> None:
    called = np.array([True] * 90 + [False] * 10 + [True] * 20 + [False] * 380)
    sick = np.arange(500) < 100
    ppv, npv = predictive_values(rates(called, sick), prevalence)
    people = 1_000_000
    hits, alarms = people * prevalence * 0.9, people * (1 - prevalence) * 0.05
    missed, rejected = people * prevalence * 0.1, people * (1 - prevalence) * 0.95
    assert ppv.value == pytest.approx(hits / (hits + alarms))
    assert npv.value == pytest.approx(rejected / (rejected + missed))
    own, _ = predictive_values(rates(called, sick), 0.2)  # the prevalence of these very images
    assert own.value == pytest.approx(90 / 110)


def test_event_that_never_happens_has_a_reason_and_no_number() -> None:
    ppv, npv = predictive_values(rates(np.zeros(20, bool), np.arange(20) < 5), 0.1)
    assert (ppv.value, ppv.why_not) == (None, "it never happened on these images")
    assert npv.value == pytest.approx(0.9)
    none_positive = rates(np.zeros(20, bool), np.zeros(20, bool))
    assert predictive_values(none_positive, 0.1)[0].why_not == "no image is of the positive class"


def test_zones_are_counted_by_class() -> None:
    shown = skilled(1)
    zones = zones_of(shown, ROLES, RULES, SETS, False)
    triage = evaluate_triage(shown, ROLES, zones, [], [0.1], False)
    assert sum(sum(zone.images.values()) for zone in triage.zones) == 300
    assert triage.routine.images["COVID"] == triage.routine.of_positives.count == ((zones == 2) & (shown.labels == 0)).sum()
