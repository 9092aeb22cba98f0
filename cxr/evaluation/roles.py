"""The positive class and the normal class, which triage, operating points and decision curves use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cxr.config.costs import costs_by_class
from cxr.config.schema import Config, EvaluationConfig
from cxr.errors import UserError
from cxr.text import nearest, slug

POSITIVE_SLUGS = ("covid", "covid_19", "covid19")  # of the class that is positive unless evaluation.urgent names another
NORMAL_SLUGS = ("normal", "no_finding", "no_findings", "healthy", "negative")  # the same of evaluation.routine


@dataclass(frozen=True)
class Roles:
    """Indices into the classes; None if no class has the role. `why_not` names the setting of the positive class."""

    positive_class: int | None
    normal_class: int | None
    why_not: str = ""

    @property
    def places(self) -> tuple[int | None, int | None]:
        """Those of the positive and of the normal class, as `costs_by_class` takes them."""
        return self.positive_class, self.normal_class


def roles_of(evaluation: EvaluationConfig, classes: Sequence[str]) -> Roles:
    """The classes that the config names, else those with a usual name; of two classes the one that is not normal is positive.

    Raises:
        UserError: The data does not have a class, or one has both roles.

    >>> roles_of(EvaluationConfig(), ["COVID", "Lung Opacity", "Normal"])
    Roles(positive_class=0, normal_class=2, why_not='')
    >>> roles_of(EvaluationConfig(), ["No Finding", "Pneumothorax"])
    Roles(positive_class=1, normal_class=0, why_not='')
    """
    slugs = [slug(name) for name in classes]
    positive_class = _index(evaluation.urgent, "urgent", slugs, POSITIVE_SLUGS)
    normal_class = _index(evaluation.routine, "routine", slugs, NORMAL_SLUGS)
    if positive_class is not None and positive_class == normal_class:
        raise UserError(f"evaluation.urgent and evaluation.routine are both {classes[positive_class]}: name two classes")
    if positive_class is None and normal_class is not None and len(classes) == 2:
        positive_class = 1 - normal_class
    if positive_class is None:
        return Roles(None, normal_class, "no class is called COVID: evaluation.urgent=CLASS names the positive class")
    return Roles(positive_class, normal_class)


def with_costs_by_class(config: Config, classes: Sequence[str]) -> Config:
    """A config whose loss names classes where it named roles.

    Raises:
        UserError: No class has one of these roles.
    """
    if not config.loss.costs:
        return config
    roles = roles_of(config.evaluation, classes).places
    return replace(config, loss=replace(config.loss, costs=costs_by_class(config.loss.costs, classes, roles, "loss.costs")))


def _index(name: str | None, key: str, slugs: list[str], usual: Sequence[str]) -> int | None:
    if name is None:
        return next((slugs.index(name) for name in usual if name in slugs), None)
    if slug(name) not in slugs:
        raise UserError(f"evaluation.{key}={name} is not a class of this data: {nearest(slug(name), slugs)}")
    return slugs.index(slug(name))
