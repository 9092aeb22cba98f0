"""Costs of errors: only existing pairs, and only numbers."""

from typing import Any

import pytest

from cxr.config.costs import check_costs, cost_matrix
from cxr.errors import UserError


def test_costs_default_to_one_for_any_mistake() -> None:
    costs = cost_matrix({"covid": {"normal": 5}, "viral_pneumonia": {"covid": 0}}, ["COVID", "Normal", "Viral Pneumonia"], "costs")
    assert costs.tolist() == [[0, 5, 1], [1, 0, 1], [0, 1, 0]]


def test_costs_name_classes_that_exist() -> None:
    with pytest.raises(UserError, match=r"loss.costs.covd.normal: the data has no class covd: did you mean covid"):
        cost_matrix({"covd": {"normal": 5}}, ["COVID", "Normal"], "loss.costs")
    with pytest.raises(UserError, match="the cost of being right"):
        cost_matrix({"covid": {"covid": 5}}, ["COVID", "Normal"], "loss.costs")


@pytest.mark.parametrize("cost", [-1, "dear", True, float("inf")])
def test_a_cost_is_a_number_of_at_least_0(cost: Any) -> None:
    with pytest.raises(UserError, match=r"evaluation.costs.covid.normal=.* is not a cost"):
        check_costs({"covid": {"normal": cost}}, "evaluation.costs")
