"""The positive class and the normal class, which triage, operating points and decision curves use."""

from collections.abc import Sequence
from dataclasses import dataclass

from cxr.config.schema import EvaluationConfig
from cxr.errors import UserError
from cxr.text import nearest, slug

POSITIVE_SLUGS = ("covid", "covid_19", "covid19")  # of the class that is positive unless evaluation.urgent names another
_NORMAL = ("normal",)


@dataclass(frozen=True)
class Roles:
    """Indices into the classes; None if no class has the role. `why_not` names the setting of the positive class."""

    positive_class: int | None
    normal_class: int | None
    why_not: str = ""


def roles_of(evaluation: EvaluationConfig, classes: Sequence[str]) -> Roles:
    """The classes that the config names, else those called COVID and Normal.

    Raises:
        UserError: The data does not have a class, or one has both roles.

    >>> roles_of(EvaluationConfig(), ["COVID", "Lung Opacity", "Normal"])
    Roles(positive_class=0, normal_class=2, why_not='')
    """
    slugs = [slug(name) for name in classes]
    positive_class = _index(evaluation.urgent, "urgent", slugs, POSITIVE_SLUGS)
    normal_class = _index(evaluation.routine, "routine", slugs, _NORMAL)
    if positive_class is not None and positive_class == normal_class:
        raise UserError(f"evaluation.urgent and evaluation.routine are both {classes[positive_class]}: name two classes")
    if positive_class is None:
        return Roles(None, normal_class, "no class is called COVID: evaluation.urgent=CLASS names the positive class")
    return Roles(positive_class, normal_class)


def _index(name: str | None, key: str, slugs: list[str], usual: Sequence[str]) -> int | None:
    if name is None:
        return next((slugs.index(name) for name in usual if name in slugs), None)
    if slug(name) not in slugs:
        raise UserError(f"evaluation.{key}={name} is not a class of this data: {nearest(slug(name), slugs)}")
    return slugs.index(slug(name))
