"""The numbers of a results table: each experiment's, with intervals, and its differences from the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cxr.compare.experiments import Chosen, Experiment, reference_of
from cxr.compare.runs import SPECIFICITIES, called_positive, positive_class_of, positive_index
from cxr.config.schema import EvaluationConfig
from cxr.evaluation.bias_correction import corrected, fit_bias_correction
from cxr.evaluation.estimates import Estimate, ends_of, proportion_among
from cxr.evaluation.light import Light, light_of
from cxr.evaluation.metrics import WITHOUT_SHORTCUT, evaluate, with_resampling
from cxr.evaluation.operating_points import rates
from cxr.evaluation.paired import Difference, paired_differences, paired_rate
from cxr.text import pluralize, slug

COMPARED = ("accuracy", "auc_macro_ovr")  # whose differences from the baseline the table shows


@dataclass(frozen=True)
class ExternalResult:
    """A result on other data: mean, lowest and highest over the runs of an experiment, by metric."""

    images: int
    values: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Row:
    """One experiment, and its values by the names of the CSV. A value that is not known is not there.

    Rates and areas are of the predictions of all its runs together; `..._lowest_run` and `..._highest_run` are over its runs.
    `accuracy_calibrated` is that of the most probable class after the bias correction fitted on each run's validation images.
    `at_specificity_S/...` are at thresholds that each run chose on its own validation images for specificity S. `seconds` is the
    mean logged time of a run, which depends on what its cache held and includes its audit, and `WITHOUT_SHORTCUT` the mean macro
    AUC on validation images whose lungs lie on the background of another class.
    """

    experiment: Experiment
    values: Mapping[str, Any]

    @property
    def lights(self) -> list[Light | None]:
        """The light of each run's audit, None for a run that was not audited."""
        return [light_of(evaluated.run.tags) for evaluated in self.experiment.runs]


@dataclass(frozen=True)
class Table:
    """The rows, the class of the operating points ("" without one), and what the reader should know."""

    rows: list[Row]
    positive: str
    evaluated: str
    reference: str
    missing: Mapping[str, str]
    notes: list[str] = field(default_factory=list)

    def knows(self, name: str) -> bool:
        """Whether a row has a value of this name."""
        return any(name in row.values for row in self.rows)


def table_of(chosen: Chosen, elsewhere: Mapping[str, ExternalResult] | None = None) -> Table:
    """All numbers of the chosen experiments; `elsewhere` has results on other data by name of the experiment."""
    reference = reference_of(chosen.experiments)
    positive = positive_class_of(reference.runs[0].run)
    rows = [_row(experiment, reference, (elsewhere or {}).get(experiment.name)) for experiment in chosen.experiments]
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
    """Every number, one row an experiment.

    Returns:
        Intervals' columns end in _lo and _hi, those of differences from the baseline start with vs_baseline/.
    """
    return pd.DataFrame([row.values for row in table.rows])


def _row(experiment: Experiment, reference: Experiment, elsewhere: ExternalResult | None) -> Row:
    whole, groups = experiment.pooled, experiment.groups
    runs = [evaluated.run for evaluated in experiment.runs]
    by_run = pd.DataFrame([evaluate(evaluated.predictions).numbers for evaluated in experiment.runs])
    estimates = dict(with_resampling(evaluate(whole, groups), whole, groups, EvaluationConfig().resamples).estimates)
    estimates["accuracy_calibrated"] = _calibrated(experiment)
    differences = {}
    if experiment is not reference:
        base = reference.pooled.in_order(whole.ids)
        differences = {row.metric: row for row in paired_differences(base, whole, groups) if row.metric in COMPARED}
    _add_points(experiment, reference, estimates, differences)
    values: dict[str, float | str | None] = {"name": experiment.name, "runs": " ".join(run.id for run in runs)}
    values |= {"images": len(whole.labels), **{name: estimate.value for name, estimate in estimates.items()}, **ends_of(estimates)}
    for name in COMPARED:
        if name in by_run and by_run[name].notna().all():
            values |= {f"{name}_lowest_run": by_run[name].min(), f"{name}_highest_run": by_run[name].max()}
    for name, row in differences.items():
        ends = {"": row.difference, "_lo": row.low, "_hi": row.high, "_p": row.p_value}
        values |= {f"vs_baseline/{name}{end}": value for end, value in ends.items()}
    spent = [sum(run.seconds.values()) for run in runs]
    values["seconds"] = float(np.mean(spent)) if all(spent) else None
    without = [run.metrics.get(WITHOUT_SHORTCUT) for run in runs]
    values[WITHOUT_SHORTCUT] = float(np.mean([value for value in without if value is not None])) if None not in without else None
    lights = [light_of(run.tags) for run in runs]
    values["audit"] = " ".join(light or "unaudited" for light in lights) if any(lights) else ""
    if elsewhere:
        values["external/images"] = elsewhere.images
        for name, (mean, low, high) in elsewhere.values.items():
            values |= {f"external/{name}": mean, f"external/{name}_lowest_run": low, f"external/{name}_highest_run": high}
    return Row(experiment, {name: value for name, value in values.items() if value is not None})


def _calibrated(experiment: Experiment) -> Estimate:
    right = []
    for evaluated, validation in zip(experiment.runs, experiment.validation, strict=True):
        fitted = fit_bias_correction(validation)
        probabilities = corrected(evaluated.predictions.probabilities, fitted.temperature, fitted.shifts)
        right.append(probabilities.argmax(axis=1) == evaluated.predictions.labels)
    whole = np.concatenate(right)
    return proportion_among(whole, np.ones(len(whole), bool), experiment.groups, "")


def _add_points(
    experiment: Experiment, reference: Experiment, estimates: dict[str, Estimate], differences: dict[str, Difference]
) -> None:
    """Add rates of the positive class at thresholds for each specificity, and the sensitivities' differences from the reference."""
    index, whole, pooled = positive_index(experiment.runs[0]), experiment.pooled, reference.pooled
    if index is None:
        return
    is_positive = whole.labels == index
    places = pooled.rows_of(whole.ids)
    groups = [group for group, positive in zip(experiment.groups, is_positive, strict=True) if positive]
    for specificity in SPECIFICITIES:
        try:
            called = called_positive(experiment.runs, experiment.validation, index, specificity)
            base = called_positive(reference.runs, reference.validation, index, specificity)
        except ValueError:
            continue
        at, at_threshold = f"at_specificity_{specificity:g}", rates(called, is_positive, experiment.groups)
        estimates |= {f"{at}/sensitivity": at_threshold.sensitivity, f"{at}/specificity": at_threshold.specificity}
        if experiment is not reference and is_positive.any():
            before, after = base[places][is_positive], called[is_positive]
            differences[f"{at}/sensitivity"] = paired_rate("sensitivity", before, after, groups)


def _notes(chosen: Chosen) -> list[str]:
    runs = [evaluated for experiment in chosen.experiments for evaluated in experiment.runs]
    code = {evaluated.run.id: evaluated.run.tags.get("cxr.code_fingerprint", "") for evaluated in runs}
    codes = {experiment.name: {code[evaluated.run.id] for evaluated in experiment.runs} for experiment in chosen.experiments}
    notes = []
    if len(set().union(*codes.values())) > 1:
        newest = code[max(runs, key=lambda evaluated: evaluated.run.started).run.id]
        older = [name for name, made_with in codes.items() if made_with != {newest}]
        notes.append(f"Made by an earlier version of the code than the others: {', '.join(older)}.")
    if any(evaluated.part == "val" for evaluated in runs):
        notes.append("Evaluated on validation images, which also stopped trainings and chose thresholds: optimistic.")
    if chosen.others:
        sets = pluralize(chosen.others, "other set")
        notes.append(f"The store has runs of presets on {sets} of images or splits: cxr results --like RUN shows those.")
    return notes
