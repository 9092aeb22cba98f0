"""The numbers of a results table: each experiment's, with intervals, and its differences from the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.compare.folds import CrossValidation
from cxr.compare.runs import EvaluatedRun, positive_class_of
from cxr.compare.seeds import in_one_order
from cxr.compare.thresholds import SPECIFICITIES, called_positive, positive_index
from cxr.config.schema import EvaluationConfig
from cxr.evaluation.bias_correction import corrected, fit_bias_correction
from cxr.evaluation.estimates import Estimate, ends_of, proportion_among
from cxr.evaluation.light import Light, light_of
from cxr.evaluation.metrics import WITHOUT_SHORTCUT, evaluate, with_resampling
from cxr.evaluation.operating_points import Rates, rates
from cxr.evaluation.paired import Difference, paired_differences, paired_rate
from cxr.evaluation.predictions import Predictions
from cxr.results.experiments import Chosen, Experiment, reference_of
from cxr.text import slug

COMPARED = ("accuracy", "auc_macro_ovr")  # whose differences from the baseline the table shows


@dataclass(frozen=True)
class Point:
    """The positive class at a threshold that each run chose on its own validation images for one specificity."""

    specificity: float  # that was asked for
    rates: Rates
    difference: Difference | None  # of the sensitivity from that of the baseline at its thresholds


@dataclass(frozen=True)
class ExternalResult:
    """A result on other data: mean, lowest and highest over the runs of an experiment, by metric."""

    images: int
    values: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Row:
    """One experiment. Rates and areas are of the predictions of all its runs together; `ends` are over its runs.

    `calibrated` is the accuracy of the most probable class after the bias correction that each run's validation images ask for.
    `seconds` is the mean time of a run as it was logged, with what it found in the cache and its audit. `audit` has the light of
    each run, None for one that was not audited, and `without_shortcut` the mean macro AUC on validation images whose lungs lie on
    the background of another class.
    """

    experiment: Experiment
    estimates: dict[str, Estimate]
    ends: dict[str, tuple[float, float]]
    calibrated: Estimate
    points: list[Point]
    differences: dict[str, Difference]
    seconds: float | None
    audit: list[Light | None]
    without_shortcut: float | None
    elsewhere: ExternalResult | None = None


@dataclass(frozen=True)
class Table:
    """The rows, the class of the operating points ("" without one), and what the reader should know."""

    rows: list[Row]
    positive: str
    evaluated: str
    reference: str
    missing: Mapping[str, str]
    notes: list[str] = field(default_factory=list)


def table_of(chosen: Chosen, elsewhere: Mapping[str, ExternalResult] | None = None) -> Table:
    """All numbers of the chosen experiments; `elsewhere` has results on other data by name of the experiment."""
    reference = reference_of(chosen.experiments)
    positive = positive_class_of(reference.runs[0].run)
    rows = [_row(each, reference, (elsewhere or {}).get(each.name)) for each in chosen.experiments]
    classes = {slug(name): name for name in reference.runs[0].predictions.classes}
    return Table(
        rows,
        classes.get(positive, ""),
        chosen.evaluated_text,
        reference.name if len(rows) > 1 else "",
        chosen.missing,
        _notes(chosen),
    )


def frame_of(table: Table) -> pd.DataFrame:
    """Every number, one row an experiment. Intervals end in _lo and _hi, differences from the baseline start with vs_baseline/."""
    return pd.DataFrame([_flat(row) for row in table.rows])


def pooled(experiment: Experiment) -> Predictions:
    """The predictions of all runs together, in the order of the runs."""
    return CrossValidation(experiment.runs).pooled


def _row(experiment: Experiment, reference: Experiment, elsewhere: ExternalResult | None) -> Row:
    whole, groups = pooled(experiment), experiment.groups
    estimates = with_resampling(evaluate(whole, groups), whole, groups, EvaluationConfig().resamples).estimates
    each = [evaluate(evaluated.predictions).numbers for evaluated in experiment.runs]
    ends = {name: (min(n[name] for n in each), max(n[name] for n in each)) for name in COMPARED if all(name in n for n in each)}
    differences = {}
    if experiment is not reference:
        base = in_one_order([whole, pooled(reference)])[1]
        differences = {d.metric: d for d in paired_differences(base, whole, groups) if d.metric in COMPARED}
    runs = [evaluated.run for evaluated in experiment.runs]
    spent = [sum(run.seconds.values()) for run in runs]
    without = [run.metrics[WITHOUT_SHORTCUT] for run in runs if WITHOUT_SHORTCUT in run.metrics]
    return Row(
        experiment=experiment,
        estimates=estimates,
        ends=ends,
        calibrated=_calibrated(experiment),
        points=_points(experiment, reference),
        differences=differences,
        seconds=float(np.mean(spent)) if all(spent) else None,
        audit=[light_of(run.tags) for run in runs],
        without_shortcut=float(np.mean(without)) if len(without) == len(runs) else None,
        elsewhere=elsewhere,
    )


def _calibrated(experiment: Experiment) -> Estimate:
    right = list[NDArray[np.bool_]]()
    for evaluated, validation in zip(experiment.runs, experiment.validation, strict=True):
        fitted = fit_bias_correction(validation)
        found = corrected(evaluated.predictions.probabilities, fitted.temperature, fitted.shifts).argmax(axis=1)
        right.append(found == evaluated.predictions.labels)
    whole = np.concatenate(right)
    return proportion_among(whole, np.ones(len(whole), bool), experiment.groups, "")


def _points(experiment: Experiment, reference: Experiment) -> list[Point]:
    index, whole, found = positive_index(experiment.runs[0]), pooled(experiment), []
    if index is None:
        return []
    is_positive = whole.labels == index
    for specificity in SPECIFICITIES:
        try:
            called = called_positive(experiment.runs, experiment.validation, index, specificity)
            base = called_positive(reference.runs, reference.validation, index, specificity)
        except ValueError:
            continue
        difference = None
        if experiment is not reference and is_positive.any():
            place = {name: row for row, name in enumerate(pooled(reference).ids)}
            of_base = base[[place[name] for name in whole.ids]]
            groups = [group for group, chosen in zip(experiment.groups, is_positive, strict=True) if chosen]
            difference = paired_rate("sensitivity", of_base[is_positive], called[is_positive], groups)
        found.append(Point(specificity, rates(called, is_positive, experiment.groups), difference))
    return found


def _notes(chosen: Chosen) -> list[str]:
    runs: list[EvaluatedRun] = [run for each in chosen.experiments for run in each.runs]
    codes = {each.name: {run.run.tags.get("cxr.code_fingerprint", "") for run in each.runs} for each in chosen.experiments}
    found = []
    if len(set().union(*codes.values())) > 1:
        newest = max(runs, key=lambda run: run.run.started).run.tags.get("cxr.code_fingerprint", "")
        older = [name for name, made_with in codes.items() if made_with != {newest}]
        found.append(f"Made by an earlier version of the code than the others: {', '.join(older)}.")
    if any(run.part == "val" for run in runs):
        found.append("Evaluated on validation images, which also stopped trainings and chose thresholds: optimistic.")
    if chosen.others:
        sets = "1 other set" if chosen.others == 1 else f"{chosen.others} other sets"
        found.append(f"The store has runs of presets on {sets} of images or splits: cxr results --like RUN shows those.")
    return found


def _flat(row: Row) -> dict[str, float | str]:
    found: dict[str, float | str] = {
        "name": row.experiment.name,
        "runs": " ".join(each.run.id for each in row.experiment.runs),
        "images": len(pooled(row.experiment).labels),
    }
    known = {name: each for name, each in row.estimates.items() if each.value is not None} | {"accuracy_calibrated": row.calibrated}
    for point in row.points:
        at = f"at_specificity_{point.specificity:g}"
        known |= {f"{at}/sensitivity": point.rates.sensitivity, f"{at}/specificity": point.rates.specificity}
    found |= {name: each.value for name, each in known.items() if each.value is not None}
    found |= ends_of(known)
    for name, (low, high) in row.ends.items():
        found |= {f"{name}_lowest_run": low, f"{name}_highest_run": high}
    moved = dict(row.differences)
    moved |= {f"at_specificity_{p.specificity:g}/sensitivity": p.difference for p in row.points if p.difference}
    for name, each in moved.items():
        ends = {"": each.difference, "_lo": each.low, "_hi": each.high, "_p": each.p_value}
        found |= {f"vs_baseline/{name}{end}": value for end, value in ends.items() if value is not None}
    if row.seconds is not None:
        found["seconds"] = row.seconds
    if row.without_shortcut is not None:
        found[WITHOUT_SHORTCUT] = row.without_shortcut
    found["audit"] = " ".join(light or "unaudited" for light in row.audit) if any(row.audit) else ""
    if row.elsewhere:
        found["external/images"] = row.elsewhere.images
        for name, (mean, low, high) in row.elsewhere.values.items():
            found |= {f"external/{name}": mean, f"external/{name}_lowest_run": low, f"external/{name}_highest_run": high}
    return found
