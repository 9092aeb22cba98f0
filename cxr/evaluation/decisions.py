"""Decisions: what turns the probabilities of a model into answers, all of it chosen on validation images."""

import json
from dataclasses import asdict, dataclass, replace
from itertools import chain
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.calibration import scaled
from cxr.evaluation.conformal import conformal_sets
from cxr.evaluation.operating_points import Rule, decisions
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roles import Roles, roles_of
from cxr.evaluation.triage import ZONES, zones_of
from cxr.text import slug

FILE = "model/decisions.json"  # of a run


@dataclass(frozen=True)
class Conformal:
    """A class is in the set of an image from `least_probability` on, by class slug; `alpha` of sets may lack the true class."""

    alpha: float
    least_probability: dict[str, float]


@dataclass(frozen=True)
class Decisions:
    """The content of model/decisions.json. Files of version 1 have no roles: see `read_decisions`."""

    classes: list[str]
    temperature: float
    rules: list[Rule]
    conformal: Conformal
    chosen_on: str
    positive_class: str | None = None
    normal_class: str | None = None
    review_routine: bool = False
    version: int = 1

    @property
    def roles(self) -> Roles:
        """The classes with a role, as indices."""
        roles = [None if name is None else self.classes.index(name) for name in (self.positive_class, self.normal_class)]
        return Roles(roles[0], roles[1])

    def rule(self, name: str) -> Rule | None:
        """The operating point of that name; argmax is always there."""
        chosen = next((rule for rule in self.rules if rule.name == name), None)
        return Rule("argmax", "the most probable class") if chosen is None and name == "argmax" else chosen


@dataclass(frozen=True)
class Decided:
    """What is decided for n images. `zones` are empty texts without a positive class."""

    calibrated: NDArray[np.float64]  # (n, classes), after temperature
    called: NDArray[np.int64]  # (n,), index into classes, at one operating point
    sets: NDArray[np.bool_]  # (n, classes), conformal
    zones: list[str]


def decisions_of(assessment: Assessment) -> Decisions:
    """What the assessment of a run chose."""
    triage = assessment.triage
    return Decisions(
        classes=assessment.classes,
        temperature=assessment.temperature.value,
        rules=[point.rule for point in assessment.operating_points],
        conformal=Conformal(assessment.conformal.alpha, assessment.conformal.thresholds),
        chosen_on=f"{assessment.validation_images} validation images",
        positive_class=triage.positive_class if triage else None,
        normal_class=triage.normal_class if triage else None,
        review_routine=bool(triage and triage.every_routine_reviewed),
        version=2,
    )


def write_decisions(chosen: Decisions, path: Path) -> None:
    """Write as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(chosen), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_decisions(path: Path, settings: EvaluationConfig) -> Decisions:
    """Read a file; roles that one of version 1 lacks follow from the run's settings.

    Raises:
        ValueError: The file is not one of decisions.
    """
    chosen = TypeAdapter(Decisions).validate_json(path.read_bytes(), strict=True)
    slugs = [slug(name) for name in chosen.classes]
    if len(slugs) < 2 or sorted(chosen.conformal.least_probability) != sorted(slugs):
        raise ValueError("its conformal thresholds are not of its classes")
    if not {chosen.positive_class, chosen.normal_class} <= {None, *chosen.classes}:
        raise ValueError("a class with a role is not among its classes")
    numbers = [chosen.temperature, chosen.conformal.alpha, *chosen.conformal.least_probability.values()]
    for rule in chosen.rules:
        numbers += [rule.temperature, rule.threshold or 0.0, *(rule.shifts or []), *chain(*rule.costs or [])]
        if {len(part) for part in (rule.shifts, rule.costs, *(rule.costs or [])) if part is not None} - {len(slugs)}:
            raise ValueError(f"its rule {rule.name} is not of its classes")
    if not all(map(isfinite, numbers)) or min(chosen.temperature, *(rule.temperature for rule in chosen.rules), 1) <= 0:
        raise ValueError("it holds a number that is not finite, or a temperature that is not above 0")
    return chosen if chosen.version > 1 else _with_roles(chosen, settings)


def _with_roles(chosen: Decisions, settings: EvaluationConfig) -> Decisions:
    roles = roles_of(settings, chosen.classes) if chosen.rules else Roles(None, None)
    names = [None if place is None else chosen.classes[place] for place in (roles.positive_class, roles.normal_class)]
    return replace(chosen, positive_class=names[0], normal_class=names[1], review_routine=settings.review_routine)


def decide(chosen: Decisions, probabilities: NDArray[np.float64], rule: Rule) -> Decided:
    """Answers by one of the rules.

    Args:
        probabilities: (n, classes), as the model gives them.
    """
    predictions = Predictions((), tuple(chosen.classes), np.zeros(len(probabilities), np.int64), probabilities)
    thresholds = np.array([chosen.conformal.least_probability[slug(name)] for name in chosen.classes])
    roles = chosen.roles
    zones = [""] * len(probabilities)
    if roles.positive_class is not None:
        zones = [ZONES[place] for place in zones_of(predictions, roles, chosen.rules, thresholds, chosen.review_routine)]
    called = decisions(rule, predictions, -1 if roles.positive_class is None else roles.positive_class)
    calibrated = scaled(predictions, chosen.temperature).probabilities
    return Decided(calibrated, called, conformal_sets(predictions, thresholds), zones)
