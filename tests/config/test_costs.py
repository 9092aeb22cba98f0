"""Costs of errors: only existing pairs, and only numbers."""

from typing import Any

import pytest

from cxr.config.costs import check_costs, cost_matrix
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
