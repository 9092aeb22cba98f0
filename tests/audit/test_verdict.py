"""The verdict: its thresholds, its places, and no number where there is none."""

import pytest

from cxr.audit.verdict import verdict_of
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.light import Light


def left(low: float) -> dict[str, Estimate]:
    return {"mean": Estimate(low + 0.1, low, low + 0.2), "noise": Estimate(low + 0.3, low + 0.2, low + 0.4)}


@pytest.mark.parametrize(("low", "light"), [(-0.2, "none"), (0.19, "none"), (0.21, "some"), (0.51, "strong")])
def test_the_fill_that_leaves_least_decides(low: float, light: str) -> None:
    assert verdict_of(left(low), {}).light == light


def test_a_trait_that_tells_the_class_is_evidence_and_a_place() -> None:
    telling, faint = Estimate(0.6, 0.57, 0.63), Estimate(0.6, 0.5, 0.7)
    assert verdict_of(left(0), {"corners": faint}).light == "none"
    found = verdict_of(left(0), {"corners": telling, "border": faint})
    assert (found.light, found.places) == ("some", ["corners"])
    assert "the four corners" in found.text


def test_what_is_everywhere_comes_before_the_edge() -> None:
    at_edge, inside = Estimate(0.72, 0.68, 0.76), Estimate(0.7, 0.66, 0.74)
    assert verdict_of(left(0.3), {"border": at_edge, "exposure": inside}).places == ["exposure", "border"]


def test_without_a_measure_it_says_why() -> None:
    found = verdict_of({"mean": Estimate(None, why_not="a class has 3 groups of images")}, {})
    assert found.light == "unknown"
    assert "a class has 3 groups" in found.text


@pytest.mark.parametrize(("low", "light"), [(0.85, "some"), (0.75, "strong")])
def test_a_model_that_keeps_most_on_other_surroundings_is_some_at_most(low: float, light: str) -> None:
    found = verdict_of(left(0.6), {}, Estimate(low + 0.05, low, low + 0.1))
    assert found.light == light
    assert "on the background of another class" in found.text
    assert verdict_of(left(0), {}, Estimate(low + 0.05, low, low + 0.1)).light == "none"


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
def test_a_light_is_none_only_where_the_interval_rules_strong_evidence_out(low: float, high: float, light: Light) -> None:
    assert verdict_of({"mean": Estimate(0.3, low, high)}, {}).light is light


@pytest.mark.parametrize(
    ("low", "high", "light"), [(0.25, 0.75, Light.NONE), (0.25, 0.76, Light.UNKNOWN), (0.2, 0.71, Light.UNKNOWN)]
)
def test_a_trait_of_which_too_little_is_known_is_no_trait_without_evidence(low: float, high: float, light: Light) -> None:
    assert verdict_of(left(0), {"corners": Estimate(0.5, low, high)}).light is light
    assert verdict_of(left(0), {"corners": Estimate(None, why_not="no file")}).light is Light.UNKNOWN


@pytest.mark.parametrize(
    ("low", "high", "light"),
    [
        (0.7, 0.8, Light.NONE),
        (0.7, 0.799, Light.UNKNOWN),
        (0.0, 1.0, Light.NONE),
        (-0.1, 1.0, Light.UNKNOWN),
        (-5.0, 7.0, Light.UNKNOWN),
    ],
)
def test_a_model_that_loses_much_on_other_surroundings_has_no_light_of_none(low: float, high: float, light: Light) -> None:
    assert verdict_of(left(0), {}, Estimate(0.75, low, high)).light is light
    assert verdict_of(left(0), {}, Estimate(None, why_not="a class has no held-out image")).light is Light.UNKNOWN


def test_what_a_model_keeps_within_a_wide_interval_excuses_nothing() -> None:
    assert verdict_of(left(0.6), {}, Estimate(2.0, 0.85, 7.0)).light is Light.STRONG
