"""The costs of misclassification that a config sets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.errors import UserError
from cxr.text import nearest, slug

_MOST = 1_000_000  # far beyond any meaning, and far from what overflows


def check_costs(costs: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Raise `UserError` for a cost that is not a number of at least 0; `key` is the setting's name."""
    for true, row in costs.items():
        for predicted, cost in row.items():
            if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= _MOST:
                raise UserError(f"{key}.{true}.{predicted}={cost} is not a cost: give a number from 0 to {_MOST:,}")


def cost_matrix(costs: Mapping[str, Mapping[str, Any]], classes: Sequence[str], key: str) -> NDArray[np.float32]:
    """Cost of each true (row) and predicted (column) class, (classes, classes): 0 on the diagonal, else 1 or `costs`.

    Args:
        key: the setting's name.

    Raises:
        UserError: The data does not have a class, or a cost is that of being right.

    >>> cost_matrix({"covid": {"normal": 5}, "other": {"covid": 0}}, ["COVID", "Normal", "Other"], "loss.costs").tolist()
    [[0.0, 5.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    names = [slug(name) for name in classes]
    matrix = 1 - np.eye(len(names), dtype=np.float32)
    for true, row in costs.items():
        for predicted, cost in row.items():
            for name in (true, predicted):
                if name not in names:
                    raise UserError(f"{key}.{true}.{predicted}: the data has no class {name}: {nearest(name, names)}")
            if true == predicted:
                raise UserError(f"{key}.{true}.{predicted} is the cost of being right: leave it out")
            matrix[names.index(true), names.index(predicted)] = cost
    return matrix
