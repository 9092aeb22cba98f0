"""The costs of misclassification that a config sets."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.errors import UserError
from cxr.text import nearest, slug

_MOST = 1_000_000  # far beyond any meaning, and far from what overflows
POSITIVE, NORMAL, OTHER = "positive", "normal", "other"  # words for classes by their role


def check_costs(costs: Mapping[str, Mapping[str, Any]], key: str) -> None:
    """Raise `UserError` for a cost that is not a number of at least 0; `key` is the setting's name."""
    for true, row in costs.items():
        for predicted, cost in row.items():
            if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= _MOST:
                raise UserError(f"{key}.{true}.{predicted}={cost} is not a cost: give a number from 0 to {_MOST:,}")


def costs_by_class(
    costs: Mapping[str, Mapping[str, Any]], classes: Sequence[str], roles: tuple[int | None, int | None], key: str
) -> dict[str, dict[str, Any]]:
    """The costs with classes, as metrics spell them, in place of roles.

    The words are `positive`, `normal`, and `other` for every class that is neither. Where each word that is used is the name of a
    class, it is that name. A pair that is named by its classes takes precedence over one named by roles.

    Args:
        costs: The cost of each pair, by true and predicted class or role.
        classes: Their names.
        roles: The places of the positive and of the normal class.
        key: The name of the setting.

    Raises:
        UserError: No class has a role that is used.

    >>> costs_by_class({"positive": {"normal": 5, "other": 2}}, ["COVID", "Normal", "Old TB"], (0, 1), "loss.costs")
    {'covid': {'normal': 5, 'old_tb': 2}}
    """
    names = [slug(name) for name in classes]
    used = {word for true, row in costs.items() for word in (true, *row)} & {POSITIVE, NORMAL, OTHER}
    if used <= set(names):
        return {true: dict(row) for true, row in costs.items()}
    places = dict(zip((POSITIVE, NORMAL), roles, strict=True))
    settings = {POSITIVE: "evaluation.urgent=CLASS", NORMAL: "evaluation.routine=CLASS"}
    if lacking := [role for role, place in places.items() if place is None and role in used]:
        raise UserError(
            f"{key} names the {' and the '.join(lacking)} class, and no name of a class tells which: add "
            f"{' and '.join(settings[role] for role in lacking)} (choose from: {', '.join(classes)})"
        )
    members = {role: [names[place]] for role, place in places.items() if place is not None}
    members[OTHER] = [name for place, name in enumerate(names) if place not in roles]
    pairs = [(true, predicted, cost) for true, row in costs.items() for predicted, cost in row.items()]
    resolved: dict[str, dict[str, Any]] = {}
    for true, predicted, cost in sorted(pairs, key=lambda pair: sum(word not in members for word in pair[:2])):
        for one, another in product(members.get(true, [true]), members.get(predicted, [predicted])):
            if one != another or true == predicted != OTHER:
                resolved.setdefault(one, {})[another] = cost
    return {true: dict(sorted(row.items())) for true, row in sorted(resolved.items())}


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
