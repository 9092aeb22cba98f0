"""The verdict: its thresholds, its places, and no number where there is none."""

import pytest

from cxr.audit.verdict import doubts_of, verdict_of, verdict_without_model
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.light import Light

UNKNOWN, WIDE = Estimate(None, why_not="a class has no held-out image"), Estimate(0.5, -1.0, 2.0)
CERTAIN, UNCERTAIN = Estimate(0.6, 0.57, 0.63), Estimate(0.6, 0.5, 0.7)


def shares(low: float) -> dict[str, Estimate]:
    return {"mean": Estimate(low + 0.1, low, low + 0.2), "noise": Estimate(low + 0.3, low + 0.2, low + 0.4)}


@pytest.mark.parametrize(
    ("left", "light"),
    [
        (shares(-0.2), Light.NONE),
        (shares(0.19), Light.NONE),
        (shares(0.21), Light.SOME),  # by the fill that leaves least
        (shares(0.51), Light.STRONG),
        ({"mean": UNKNOWN}, Light.UNKNOWN),
        ({"mean": Estimate(0.3, -5.0, 7.0)}, Light.UNKNOWN),  # a ratio of two numbers near chance
        ({"mean": Estimate(0.3, -0.5, 0.5)}, Light.NONE),
        ({"mean": Estimate(0.3, -0.5, 0.501)}, Light.UNKNOWN),  # strong evidence is not ruled out
        ({"mean": Estimate(0.3, -0.501, 0.5)}, Light.UNKNOWN),  # wider than a share can be
        ({"mean": Estimate(0.3, 0.2, 0.5)}, Light.NONE),
        ({"mean": Estimate(0.3, 0.201, 7.0)}, Light.SOME),  # evidence, however much
        ({"mean": Estimate(0.3, 0.501, 7.0)}, Light.STRONG),
    ],
)
def test_light_follows_from_the_share_without_lungs(left: dict[str, Estimate], light: Light) -> None:
    assert verdict_of(left, {}).light is light


@pytest.mark.parametrize(
    ("trait", "light"),
    [
        (CERTAIN, Light.SOME),
        (UNCERTAIN, Light.NONE),
        (Estimate(0.5, 0.25, 0.75), Light.NONE),
        (Estimate(0.5, 0.25, 0.76), Light.UNKNOWN),
        (Estimate(0.5, 0.2, 0.71), Light.UNKNOWN),
        (UNKNOWN, Light.UNKNOWN),
    ],
)
def test_light_follows_from_a_trait_where_nothing_is_left(trait: Estimate, light: Light) -> None:
    assert verdict_of(shares(0), {"corners": trait}).light is light


def test_places_are_predicting_traits_with_global_ones_first() -> None:
    assert verdict_of(shares(0), {"corners": CERTAIN, "border": UNCERTAIN}).places == ["corners"]
    at_edge, inside = Estimate(0.72, 0.68, 0.76), Estimate(0.7, 0.66, 0.74)
    assert verdict_of(shares(0.3), {"border": at_edge, "exposure": inside}).places == ["exposure", "border"]


@pytest.mark.parametrize(
    ("low", "retained", "light"),
    [
        (0.6, Estimate(0.9, 0.85, 0.95), Light.SOME),
        (0.6, Estimate(0.8, 0.75, 0.85), Light.STRONG),
        (0.6, Estimate(2.0, 0.85, 7.0), Light.STRONG),  # a wide interval excuses nothing
        (0.0, Estimate(0.9, 0.85, 0.95), Light.NONE),
        (0.0, Estimate(0.75, 0.7, 0.8), Light.NONE),
        (0.0, Estimate(0.75, 0.7, 0.799), Light.UNKNOWN),
        (0.0, Estimate(0.75, 0.0, 1.0), Light.NONE),
        (0.0, Estimate(0.75, -0.1, 1.0), Light.UNKNOWN),
        (0.0, Estimate(0.75, -5.0, 7.0), Light.UNKNOWN),
        (0.0, UNKNOWN, Light.UNKNOWN),
    ],
)
def test_light_follows_from_what_the_model_retains_on_other_backgrounds(low: float, retained: Estimate, light: Light) -> None:
    assert verdict_of(shares(low), {}, retained).light is light


def test_doubts_name_regions_and_traits_with_wide_intervals() -> None:
    assert doubts_of(WIDE, {"corners": WIDE, "border": UNCERTAIN}, WIDE) == ["lungs_removed", "corners", "other_surroundings"]


@pytest.mark.parametrize(
    ("traits", "light", "places"),
    [
        ({}, Light.UNKNOWN, []),
        ({"corners": UNKNOWN}, Light.UNKNOWN, []),
        ({"corners": UNCERTAIN}, Light.NONE, []),
        ({"corners": Estimate(0.5, 0.25, 0.76)}, Light.UNKNOWN, []),  # strong evidence is not ruled out
        ({"corners": CERTAIN, "border": Estimate(0.7, 0.67, 0.73)}, Light.SOME, ["border", "corners"]),
        ({"corners": Estimate(0.8, 0.751, 0.85), "border": UNKNOWN}, Light.STRONG, ["corners"]),
        ({"corners": Estimate(0.6, 0.5573, 0.6427)}, Light.SOME, ["corners"]),  # 3.06 standard errors of fits above chance
        ({name: Estimate(0.6, 0.5573, 0.6427) for name in "abcdefghijkl"}, Light.NONE, []),  # too few for the best of twelve
    ],
)
def test_light_before_a_training_follows_from_traits_alone(traits: dict[str, Estimate], light: Light, places: list[str]) -> None:
    verdict = verdict_without_model(traits)
    assert (verdict.light, verdict.places) == (light, places)
