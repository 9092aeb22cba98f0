"""The assessment: all numbers that follow from predictions, as one value that the report shows and stores as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cxr.config.costs import cost_matrix, costs_by_class
from cxr.config.schema import Config, EvaluationConfig
from cxr.data.manifest import COLUMNS, VIEW
from cxr.errors import UserError
from cxr.evaluation.calibration import Calibration, Temperature, calibration, fit_temperature, scaled
from cxr.evaluation.conformal import ConformalSets, conformal_thresholds, evaluate_sets
from cxr.evaluation.decision_curve import DecisionCurve, decision_curve
from cxr.evaluation.estimates import Estimate, ends_of, values_of
from cxr.evaluation.failures import Failure, failures
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, names_at
from cxr.evaluation.metrics import evaluate, with_resampling
from cxr.evaluation.operating_points import OperatingPoint, choose_rules, evaluate_rules
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.recalibration import ClassCalibration, class_calibration
from cxr.evaluation.roles import Roles, roles_of
from cxr.evaluation.subgroups import Subgroup, subgroups
from cxr.evaluation.triage import Triage, evaluate_triage, zones_of
from cxr.evaluation.unknown_classes import UnknownClasses, auc_not_normal, describe_unshared
from cxr.text import nearest


@dataclass(frozen=True)
class Evidence:
    """Predictions of the validation part, which chooses thresholds, and of the evaluated part.

    `part` is the name of the evaluated part, `groups` the group of each of its images, `columns` (n, any) further columns of the
    manifest. Without a test part, `evaluated` is `validation`. `of_validation` is the group of each validation image; where it is
    not given each image is one. `validation_columns` are their columns. `unknown` are images of classes that the model does not
    know, where other data is evaluated.
    """

    validation: Predictions
    evaluated: Predictions
    part: str
    groups: Sequence[str]
    columns: pd.DataFrame
    of_validation: Sequence[str] | None = None
    unknown: UnknownClasses | None = None
    validation_columns: pd.DataFrame | None = None

    @property
    def validation_groups(self) -> Sequence[str] | None:
        """The group of each validation image, if known."""
        return self.groups if self.chosen_on_same else self.of_validation

    @property
    def chosen_on_same(self) -> bool:
        """Whether thresholds and temperature were chosen on the evaluated images."""
        return self.validation is self.evaluated


@dataclass(frozen=True)
class Assessment:
    """All numbers of one part of a split; see the classes for what each means.

    `no_positive_class` gives the reason if there are no operating points, triage and decision curve. `notes` are for the reader
    of the numbers. The decision curve and the calibration of the positive class need images of it, and others. `unknown` counts
    images of classes that the model does not know: one metric of other data has them, and no other number.
    """

    part: str
    images: int
    groups: int
    validation_images: int
    chosen_on_same: bool
    classes: list[str]
    by_class: dict[str, int]
    estimates: dict[str, Estimate]
    confusion: list[list[int]]
    temperature: Temperature
    calibration: Calibration
    calibration_after: Calibration
    positive_calibration: ClassCalibration | None
    positive_calibration_after: ClassCalibration | None
    conformal: ConformalSets
    costs: list[list[float]]
    operating_points: list[OperatingPoint]
    triage: Triage | None
    decision_curve: DecisionCurve | None
    no_positive_class: str
    subgroups: list[Subgroup]
    failures: list[Failure]
    notes: list[str]
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def without_positives(self) -> bool:
        """Whether there is a positive class and no evaluated image of it, so that nothing is known of it."""
        return self.triage is not None and not self.by_class[self.triage.positive_class]


def check_evaluation(settings: EvaluationConfig, classes: Sequence[str], more_columns: Sequence[str]) -> None:
    """Check classes, primary metric and columns before anything is trained.

    Raises:
        UserError: One of them is not in the data.
    """
    costs_of(settings, roles_of(settings, classes), classes)
    if settings.primary not in (compared := names_at("compare", classes)):
        raise UserError(
            f"evaluation.primary={settings.primary} is not compared for these classes: {nearest(settings.primary, compared)}"
        )
    known = [*(name for name in COLUMNS if name not in ("path", "label", "split")), *more_columns]
    for name in settings.subgroups or ():
        if name not in known:
            raise UserError(
                f"evaluation.subgroups: the manifest has no column {name}: {nearest(name, known)}; see data.columns.more"
            )


def subgroup_columns(config: Config, manifest: pd.DataFrame) -> list[str]:
    """The columns of the manifest that define subgroups: the view of the film is one where it is known.

    Args:
        manifest: of the images.
    """
    columns, view = config.evaluation.subgroups, [VIEW] if VIEW in manifest else []
    return list(dict.fromkeys(["source", *view, *config.data.columns.more] if columns is None else columns))


def assess(evidence: Evidence, settings: EvaluationConfig) -> Assessment:
    """Choose on validation and compute all numbers of the evaluated part.

    Raises:
        UserError: The settings name an unknown class.
    """
    validation, evaluated = evidence.validation, evidence.evaluated
    roles = roles_of(settings, evaluated.classes)
    costs = costs_of(settings, roles, evaluated.classes)
    groups, of_validation = evidence.groups, evidence.validation_groups
    evaluation = with_resampling(evaluate(evaluated, groups), evaluated, groups, settings.resamples)
    temperature = fit_temperature(validation, of_validation)
    set_thresholds = conformal_thresholds(validation, settings.alpha)
    estimates = dict(evaluation.estimates)
    if evidence.unknown:
        estimates[AUC_NOT_NORMAL.name] = auc_not_normal(evaluated, groups, evidence.unknown, roles.normal_class)
    rules, points, triage, curve, zones = [], [], None, None, None
    of_positive, of_positive_after = None, None
    if roles.positive_class is not None:
        targets = settings.sensitivity, settings.specificity
        margin = settings.sensitivity_margin
        rules = choose_rules(validation, roles.positive_class, *targets, costs, temperature.value, margin, of_validation)
        images = validation, evaluated, roles.positive_class
        points = evaluate_rules(rules, *images, costs, groups, settings.resamples, of_validation)
        zones = zones_of(evaluated, roles, rules, set_thresholds, settings.review_routine)
        usual = [point for point in points if point.rule.shifts is None]
        triage = evaluate_triage(evaluated, roles, zones, usual, settings.prevalences, settings.review_routine, groups)
        positive = evaluated.labels == roles.positive_class
        if 0 < positive.sum() < len(positive):
            calibrated = scaled(evaluated, temperature.value).probabilities[:, roles.positive_class]
            curve = decision_curve(positive, calibrated, groups)
            of_positive = class_calibration(evaluated.probabilities[:, roles.positive_class], positive, settings.bins)
            of_positive_after = class_calibration(calibrated, positive, settings.bins)
    return Assessment(
        part=evidence.part,
        images=len(evaluated.labels),
        groups=len(set(groups)),
        validation_images=len(validation.labels),
        chosen_on_same=evidence.chosen_on_same,
        classes=list(evaluated.classes),
        by_class=evaluated.by_class,
        estimates=estimates,
        confusion=evaluation.confusion.tolist(),
        temperature=temperature,
        calibration=calibration(evaluated, settings.bins),
        calibration_after=calibration(scaled(evaluated, temperature.value), settings.bins),
        positive_calibration=of_positive,
        positive_calibration_after=of_positive_after,
        conformal=evaluate_sets(evaluated, set_thresholds, settings.alpha, groups),
        costs=costs.astype(float).tolist(),
        operating_points=points,
        triage=triage,
        decision_curve=curve,
        no_positive_class=roles.why_not,
        subgroups=subgroups(
            evaluated,
            evidence.columns,
            [rule for rule in rules if rule.shifts is None],  # the calibrated argmax is shown beside argmax alone
            roles.positive_class if (evaluated.labels == roles.positive_class).any() else None,
            zones,
            bins=settings.bins,
            small_below=settings.small_group,
            groups=groups,
        ),
        failures=failures(evaluated, settings.failures),
        notes=_notes(evidence, roles),
        unknown=evidence.unknown.by_class if evidence.unknown else {},
    )


def numbers_of(assessment: Assessment) -> dict[str, float]:
    """What a store keeps besides the estimates: of each rule points/RULE/RATE, calibration, conformal sets and triage."""
    rates = {
        f"points/{point.rule.name}/{key}": getattr(point.evaluated, key)
        for point in assessment.operating_points
        for key in ("sensitivity", "specificity", "ppv", "npv")
    }
    rates |= {f"points/{point.rule.name}/cost_per_image": point.cost_per_image for point in assessment.operating_points}
    if assessment.triage:
        rates |= {f"triage/urgent_in_{zone.name}": zone.of_positives for zone in assessment.triage.zones}
    rates["conformal/coverage"] = assessment.conformal.overall
    if assessment.positive_calibration and assessment.positive_calibration_after:
        for end, of_class in (("", assessment.positive_calibration), ("_after", assessment.positive_calibration_after)):
            rates[f"calibration/positive_slope{end}"] = of_class.slope
            rates[f"calibration/positive_intercept{end}"] = of_class.intercept
    plain = {
        "calibration/ece": assessment.calibration.ece,
        "calibration/ece_after": assessment.calibration_after.ece,
        "calibration/log_loss_after": assessment.calibration_after.nll,
        "calibration/brier_after": assessment.calibration_after.brier,
        "calibration/temperature": assessment.temperature.value,
        "conformal/mean_size": assessment.conformal.mean_size,
    }
    plain |= {
        f"points/{point.rule.name}/threshold": point.rule.threshold
        for point in assessment.operating_points
        if point.rule.threshold is not None
    }
    return {**plain, **values_of(rates), **ends_of(rates)}


def costs_of(settings: EvaluationConfig, roles: Roles, classes: Sequence[str]) -> np.ndarray:
    """Cost of each true and predicted class, (classes, classes).

    It is 1 for an error, `missed_cost` for missing the positive class, or `settings.costs`.
    """
    key = "evaluation.costs"
    matrix = cost_matrix(costs_by_class(settings.costs, classes, roles.places, key), classes, key)
    if not settings.costs and roles.positive_class is not None:
        matrix[roles.positive_class] *= settings.missed_cost
    return matrix


def _notes(evidence: Evidence, roles: Roles) -> list[str]:
    notes = describe_unshared(evidence.evaluated.by_class, evidence.unknown.by_class) if evidence.unknown else []
    if evidence.chosen_on_same:
        notes.append(
            "There is no test part: these images stopped the training and chose thresholds, temperature and "
            "conformal sets, so their results are optimistic."
        )
    images, groups = len(evidence.evaluated.labels), len(set(evidence.groups))
    if groups < images:
        notes.append(
            f"The {images:,} images form {groups:,} groups (patients or copies), and intervals count images of a group as alike; "
            "only those of calibration curves, slopes and intercepts take images as independent, so they may be too narrow."
        )
    if roles.positive_class is not None and roles.normal_class is None:
        notes.append("No class is called Normal, so no image is of routine priority: evaluation.routine=CLASS names it.")
    return notes
