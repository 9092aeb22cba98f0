"""Which class is urgent and which can wait: what triage, operating points and decision curves turn on."""

from collections.abc import Sequence
from dataclasses import dataclass

from cxr.config.schema import EvaluationConfig
from cxr.errors import UserError
from cxr.text import nearest, slug

_URGENT = ("covid", "covid_19", "covid19")
_ROUTINE = ("normal",)


@dataclass(frozen=True)
class Roles:
    """Indices into the classes; none where no class has the role, and `why_not` says how to name the urgent one."""

    urgent: int | None
    routine: int | None
    why_not: str = ""


def roles_of(evaluation: EvaluationConfig, classes: Sequence[str]) -> Roles:
    """The classes that the config names, else those called COVID and Normal.

    Raises `UserError` for a class that the data does not have, and for one with both roles.

    >>> roles_of(EvaluationConfig(), ["COVID", "Lung Opacity", "Normal"])
    Roles(urgent=0, routine=2, why_not='')
    """
    slugs = [slug(name) for name in classes]
    urgent = _index(evaluation.urgent, "urgent", slugs, _URGENT)
    routine = _index(evaluation.routine, "routine", slugs, _ROUTINE)
    if urgent is not None and urgent == routine:
        raise UserError(f"evaluation.urgent and evaluation.routine are both {classes[urgent]}: name two classes")
    if urgent is None:
        return Roles(None, routine, "no class is called COVID: evaluation.urgent=CLASS names the one that is to be found")
    return Roles(urgent, routine)


def _index(asked: str | None, key: str, slugs: list[str], usual: Sequence[str]) -> int | None:
    if asked is None:
        return next((slugs.index(name) for name in usual if name in slugs), None)
    if slug(asked) not in slugs:
        raise UserError(f"evaluation.{key}={asked} is not a class of this data: {nearest(slug(asked), slugs)}")
    return slugs.index(slug(asked))
