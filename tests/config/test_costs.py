"""Costs of errors: only existing pairs, and only numbers."""

from typing import Any

import pytest

from cxr.config.costs import check_costs, cost_matrix, costs_by_class
from cxr.errors import UserError


def test_cost_of_an_unknown_class_or_of_being_right_is_refused() -> None:
    with pytest.raises(UserError, match=r"loss.costs.covd.normal: the data has no class covd: did you mean covid"):
        cost_matrix({"covd": {"normal": 5}}, ["COVID", "Normal"], "loss.costs")
    with pytest.raises(UserError, match="the cost of being right"):
        cost_matrix({"covid": {"covid": 5}}, ["COVID", "Normal"], "loss.costs")


@pytest.mark.parametrize("cost", [-1, "dear", True, float("inf")])
def test_cost_that_is_not_a_number_of_at_least_0_is_refused(cost: Any) -> None:
    with pytest.raises(UserError, match=r"evaluation.costs.covid.normal=.* is not a cost"):
        check_costs({"covid": {"normal": cost}}, "evaluation.costs")


PRESET = {"positive": {"normal": 5, "other": 2}}


def by_class(costs: dict[str, dict[str, Any]], *classes: str, roles: tuple[int | None, int | None] = (0, 1)) -> dict[str, Any]:
    return costs_by_class(costs, classes, roles, "loss.costs")


def test_costs_by_role_are_those_of_the_database_by_name() -> None:
    assert list(by_class(PRESET, "COVID", "Normal", "Viral Pneumonia").items()) == [("covid", {"normal": 5, "viral_pneumonia": 2})]
    assert by_class(PRESET, "No Finding", "Effusion", roles=(1, 0)) == {"effusion": {"no_finding": 5}}
    assert by_class({"other": {"other": 3, "positive": 4}}, "a", "b", "c", "d") == {"c": {"a": 4, "d": 3}, "d": {"a": 4, "c": 3}}


def test_pair_that_is_named_takes_precedence_over_its_roles() -> None:
    named = PRESET | {"covid": {"old_tb": 7}, "old_tb": {"covid": 3}}
    assert by_class(named, "COVID", "Normal", "Old TB") == {"covid": {"normal": 5, "old_tb": 7}, "old_tb": {"covid": 3}}
    assert by_class({"covid": {"normal": 1}} | PRESET, "COVID", "Normal", "Old TB")["covid"] == {"normal": 1, "old_tb": 2}


def test_class_that_is_called_like_a_role() -> None:
    assert by_class(PRESET, "Effusion", "Healthy", "Normal", "Other") == {"effusion": {"healthy": 5, "normal": 2, "other": 2}}
    named = {"other": {"normal": 3}}  # all of these are classes
    assert by_class(named, "COVID", "Normal", "Other", "Pneumonia") == named
    assert by_class(PRESET, "Positive", "Negative") == {"positive": {"negative": 5}}


def test_role_that_no_class_has_is_asked_for() -> None:
    with pytest.raises(
        UserError, match=r"names the positive and the normal class.*evaluation.urgent=CLASS and evaluation.routine=CLASS"
    ):
        by_class(PRESET, "a", "b", roles=(None, None))
    assert by_class({"covid": {"normal": 5}}, "COVID", "Normal", roles=(None, None)) == {"covid": {"normal": 5}}
    with pytest.raises(UserError, match="the cost of being right"):
        cost_matrix(by_class({"positive": {"positive": 5}}, "a", "b"), ["a", "b"], "loss.costs")
