"""Comparison of logged runs. Runs that were evaluated on different images are rejected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.config.schema import EvaluationConfig
from cxr.data.safe_csv import read_csv
from cxr.errors import UserError
from cxr.evaluation.metric_table import names_at
from cxr.evaluation.operating_points import threshold_for_specificity
from cxr.evaluation.paired import Difference, corrected, paired_differences
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roles import POSITIVE_SLUGS
from cxr.stages.basis import is_compared
from cxr.text import nearest, part_in_full, slug
from cxr.tracking.logged_run import LoggedRun

# Tags that are equal for comparable runs, and the meaning of a difference.
_WHY_NOT = {
    "cxr.data_fingerprint": "they used different images",
    "cxr.split_fingerprint": "their images were split differently",
    "cxr.judged_on": "they were evaluated on different parts of the split",
}
SAME = tuple(_WHY_NOT)
SPECIFICITIES = (0.99, 0.95)  # for which tables over several runs choose thresholds


@dataclass(frozen=True)
class EvaluatedRun:
    """A finished run, its evaluated part of the split, and its predictions of that part."""

    run: LoggedRun
    part: str
    predictions: Predictions


@dataclass(frozen=True)
class Comparison:
    """Runs against one of them; `differences` has an entry for each of `others`, corrected over them metric by metric."""

    reference: EvaluatedRun
    others: list[EvaluatedRun]
    differences: list[list[Difference]]
    primary: str  # the metric that the comparison is about; it is first among the differences


def read_evaluated_run(run: LoggedRun) -> EvaluatedRun:
    """The logged results of a run.

    Raises:
        UserError: It is not finished or lacks files.
    """
    if not run.is_finished:
        state = f"{'cut off' if run.status == 'FINISHED' else run.status}, not finished"
        if run.holds_training:
            state = f"trained, and its report is missing (cxr evaluate {run.short_id} makes it)"
        raise UserError(f"run {name_with_id(run)} is {state}: there is nothing to compare")
    part = run.tags.get("cxr.judged_on", "")
    if run.tags.get("cxr.role") == "evaluation" and part not in ("val", "test"):
        raise UserError(
            f"run {name_with_id(run)} is an evaluation on other data: name runs on the same images, not their evaluations"
        )
    if part not in ("val", "test"):
        raise UserError(f"run {name_with_id(run)} was not made by cxr: it has no tag cxr.judged_on")
    return EvaluatedRun(run, part, read_results(run)[part].predictions)


@dataclass(frozen=True)
class LoggedResults:
    """The logged results of one part of the split."""

    predictions: Predictions
    metrics: dict[str, float]


def read_results(run: LoggedRun) -> dict[str, LoggedResults]:
    """The results of a finished run by part.

    Raises:
        UserError: They can't be read, or lack the evaluated part.
    """
    try:
        document = json.loads(run.file("evaluation/metrics.json").read_bytes())
        if not {run.tags.get("cxr.judged_on", "val")} <= set(document) <= {"val", "test"}:
            raise ValueError("evaluation/metrics.json holds other parts of the split")
        return {
            part: LoggedResults(
                Predictions.from_csv(run.file(f"predictions/{part}.csv"), tuple(results["classes"])),
                {name: float(value) for name, value in results["metrics"].items()},
            )
            for part, results in document.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"the results of run {name_with_id(run)} can't be read: {error}") from None


def predictions_of(run: LoggedRun) -> dict[str, Predictions]:
    """The predictions of a run by part.

    Raises:
        UserError: Those of validation, which choose thresholds, are missing.
    """
    predictions = {part: results.predictions for part, results in read_results(run).items()}
    if "val" not in predictions:
        raise UserError(f"the results of run {name_with_id(run)} can't be read: it has no validation predictions")
    return predictions


def why_not_comparable(reference: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Why two runs with these tags can't be compared; None if they can."""
    for tag, reason in _WHY_NOT.items():
        if reference.get(tag) != other.get(tag):
            return f"{reason} ({tag.removeprefix('cxr.')} {reference.get(tag)} and {other.get(tag)})"
    return None


def compare_runs(reference: EvaluatedRun, others: Sequence[EvaluatedRun], primary: str | None = None) -> Comparison:
    """Paired statistics of each run against the reference; `primary` is that of the reference's config if none is given.

    Raises:
        UserError: A run was evaluated on other images, or `primary` is not compared.
    """
    for other in others:
        if reason := why_not_comparable(reference.run.tags, other.run.tags):
            raise UserError(f"{name_with_id(other.run)} can't be compared with {name_with_id(reference.run)}: {reason}")
    known = names_at("compare", reference.predictions.classes)
    chosen = primary or reference.run.params.get("evaluation.primary", EvaluationConfig().primary)
    if chosen not in known:
        raise UserError(f"--primary {chosen} is not compared for these classes: {nearest(chosen, known)}")
    groups = groups_of(reference)
    compared = corrected([paired_differences(reference.predictions, other.predictions, groups) for other in others])
    ordered = [sorted(differences, key=lambda difference: difference.metric != chosen) for differences in compared]
    return Comparison(reference, list(others), ordered, chosen)


def groups_of(evaluated: EvaluatedRun, ids: Sequence[str] | None = None) -> list[str]:
    """The group (a patient's images, copies of one image) of each of the images `ids`, or of the predictions in their order."""
    manifest = read_csv(evaluated.run.file("data/manifest.csv")).set_index("path")
    return list(manifest.loc[list(ids or evaluated.predictions.ids), "group"])


def positive_class_of(run: LoggedRun) -> str:
    """The class of a run's operating points, as metrics spell it; "" for none. Runs of version 0.2.0 and before have no tag."""
    if "cxr.evaluated_images" in run.tags:
        return run.tags.get("cxr.positive_class", "")
    return next((name for name in POSITIVE_SLUGS if any(f"/{name}/" in metric for metric in run.metrics)), "")


def positive_index(evaluated: EvaluatedRun) -> int | None:
    """The place of the class of a run's operating points among its classes; None if no class is positive."""
    slugs, positive = [slug(name) for name in evaluated.predictions.classes], positive_class_of(evaluated.run)
    return slugs.index(positive) if positive in slugs else None


def called_positive(
    runs: Sequence[EvaluatedRun], validation: Sequence[Predictions], index: int, specificity: float
) -> NDArray[np.bool_]:
    """Which evaluated images are called positive, (runs * n,), run after run, each at the threshold of its own `validation`.

    Raises:
        ValueError: A validation part has no image of another class.
    """
    called = []
    for evaluated, before in zip(runs, validation, strict=True):
        positive = before.labels == index
        if positive.all():
            raise ValueError("a validation part has no image of another class")
        threshold = threshold_for_specificity(before.probabilities[:, index], positive, specificity)
        called.append(evaluated.predictions.probabilities[:, index] >= threshold)
    return np.concatenate(called)


def config_differences(runs: Sequence[LoggedRun]) -> pd.DataFrame:
    """The params that differ: a row a param, a column a run (its short id)."""
    keys = sorted({key for run in runs for key in run.params if is_compared(key)})
    table = {key: [run.params.get(key, "") for run in runs] for key in keys}
    differing = {key: values for key, values in table.items() if len(set(values)) > 1}
    return pd.DataFrame.from_dict(differing, orient="index", columns=[run.short_id for run in runs]).rename_axis("setting")


def differences_frame(comparison: Comparison) -> pd.DataFrame:
    """All differences: a row a run and metric, with the columns of a `Difference`."""
    rows = [
        {"run": other.run.name, "run_id": other.run.id, "against": comparison.reference.run.id, **vars(difference)}
        for other, differences in zip(comparison.others, comparison.differences, strict=True)
        for difference in differences
    ]
    return pd.DataFrame(rows)


def name_with_id(run: LoggedRun) -> str:
    """A run's name and the beginning of its id."""
    return f"{run.name} ({run.short_id})"


def describe_evaluated_part(evaluated: EvaluatedRun) -> str:
    """How many images a run was evaluated on, and of which part of the split."""
    return f"{len(evaluated.predictions.labels):,} images of the {part_in_full(evaluated.part)} part"
