"""The verdict: its thresholds, its places, and no number where there is none."""

import pytest

from cxr.audit.verdict import doubts_of, least_left, verdict_of
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.light import Light

UNKNOWN = Estimate(None, why_not="a class has no held-out image")


def left(low: float) -> dict[str, Estimate]:
    return {"mean": Estimate(low + 0.1, low, low + 0.2), "noise": Estimate(low + 0.3, low + 0.2, low + 0.4)}


@pytest.mark.parametrize(("low", "light"), [(-0.2, "none"), (0.19, "none"), (0.21, "some"), (0.51, "strong")])
def test_fill_that_leaves_least_decides(low: float, light: str) -> None:
    assert verdict_of(left(low), {}).light == light


def test_trait_that_predicts_the_class_is_evidence_and_a_place() -> None:
    certain, uncertain = Estimate(0.6, 0.57, 0.63), Estimate(0.6, 0.5, 0.7)
    assert verdict_of(left(0), {"corners": uncertain}).light == "none"
    verdict = verdict_of(left(0), {"corners": certain, "border": uncertain})
    assert (verdict.light, verdict.places) == ("some", ["corners"])


def test_global_trait_comes_before_the_edge() -> None:
    at_edge, inside = Estimate(0.72, 0.68, 0.76), Estimate(0.7, 0.66, 0.74)
    assert verdict_of(left(0.3), {"border": at_edge, "exposure": inside}).places == ["exposure", "border"]


@pytest.mark.parametrize(("low", "light"), [(0.85, "some"), (0.75, "strong")])
def test_model_that_retains_most_on_other_backgrounds_is_some_at_most(low: float, light: str) -> None:
    retained = Estimate(low + 0.05, low, low + 0.1)
    assert verdict_of(left(0.6), {}, retained).light == light
    assert verdict_of(left(0), {}, retained).light == "none"


@pytest.mark.parametrize(
    ("low", "high", "light"),
    [
        (-5.0, 7.0, Light.UNKNOWN),  # a ratio of two numbers near chance
        (-0.5, 0.5, Light.NONE),
        (-0.5, 0.501, Light.UNKNOWN),  # strong evidence is not ruled out
        (-0.501, 0.5, Light.UNKNOWN),  # wider than a share can be
        (0.2, 0.5, Light.NONE),
        (0.201, 7.0, Light.SOME),  # evidence, however much
        (0.501, 7.0, Light.STRONG),
    ],
)
def test_light_is_none_only_where_the_interval_rules_strong_evidence_out(low: float, high: float, light: Light) -> None:
    assert verdict_of({"mean": Estimate(0.3, low, high)}, {}).light is light


@pytest.mark.parametrize(
    ("trait", "light"),
    [
        (Estimate(0.5, 0.25, 0.75), Light.NONE),
        (Estimate(0.5, 0.25, 0.76), Light.UNKNOWN),
        (Estimate(0.5, 0.2, 0.71), Light.UNKNOWN),
        (UNKNOWN, Light.UNKNOWN),
    ],
)
def test_trait_with_a_wide_interval_is_not_without_evidence(trait: Estimate, light: Light) -> None:
    assert verdict_of(left(0), {"corners": trait}).light is light


@pytest.mark.parametrize(
    ("retained", "light"),
    [
        (Estimate(0.75, 0.7, 0.8), Light.NONE),
        (Estimate(0.75, 0.7, 0.799), Light.UNKNOWN),
        (Estimate(0.75, 0.0, 1.0), Light.NONE),
        (Estimate(0.75, -0.1, 1.0), Light.UNKNOWN),
        (Estimate(0.75, -5.0, 7.0), Light.UNKNOWN),
        (UNKNOWN, Light.UNKNOWN),
    ],
)
def test_model_that_loses_much_on_other_backgrounds_has_no_light_of_none(retained: Estimate, light: Light) -> None:
    assert verdict_of(left(0), {}, retained).light is light


def test_wide_retained_interval_excuses_nothing() -> None:
    assert verdict_of(left(0.6), {}, Estimate(2.0, 0.85, 7.0)).light is Light.STRONG


def test_doubts_name_regions_and_traits_with_wide_intervals() -> None:
    assert least_left({"mean": UNKNOWN}) is None
    assert verdict_of({"mean": UNKNOWN}, {}).light is Light.UNKNOWN
    wide = Estimate(0.5, -1.0, 2.0)
    assert doubts_of(wide, {"corners": wide, "border": Estimate(0.5, 0.45, 0.55)}, wide) == [
        "lungs_removed",
        "corners",
        "other_surroundings",
    ]
