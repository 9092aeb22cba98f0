"""The verdict: its thresholds, its places, and no number where there is none."""

import pytest

from cxr.audit.verdict import verdict_of
from cxr.evaluation.estimates import Estimate


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
    assert "the four corners" in found.in_words


def test_what_is_everywhere_comes_before_the_edge() -> None:
    at_edge, inside = Estimate(0.72, 0.68, 0.76), Estimate(0.7, 0.66, 0.74)
    assert verdict_of(left(0.3), {"border": at_edge, "exposure": inside}).places == ["exposure", "border"]


def test_without_a_measure_it_says_why() -> None:
    found = verdict_of({"mean": Estimate(None, why_not="a class has 3 groups of images")}, {})
    assert found.light == "unknown"
    assert "a class has 3 groups" in found.in_words


@pytest.mark.parametrize(("low", "light"), [(0.85, "some"), (0.75, "strong")])
def test_a_model_that_keeps_most_on_other_surroundings_is_some_at_most(low: float, light: str) -> None:
    found = verdict_of(left(0.6), {}, Estimate(low + 0.05, low, low + 0.1))
    assert found.light == light
    assert "on the surroundings of another class" in found.in_words
    assert verdict_of(left(0), {}, Estimate(low + 0.05, low, low + 0.1)).light == "none"
