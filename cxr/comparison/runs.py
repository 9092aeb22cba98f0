"""Logged runs side by side: read from what they logged, refused where they were not judged on the same images."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cxr.errors import Mistake
from cxr.evaluation.paired import Difference, corrected, paired_differences
from cxr.evaluation.predictions import Predictions
from cxr.fingerprint import bears_on_result
from cxr.tracking.search import LoggedRun
from cxr.words import part_in_full


@dataclass(frozen=True)
class Judged:
    """A finished run and what it said of the part of the split that judged it."""

    run: LoggedRun
    part: str
    predictions: Predictions


@dataclass(frozen=True)
class Comparison:
    """Runs against one of them; `differences` has an entry for each of `others`, corrected over all of them."""

    reference: Judged
    others: list[Judged]
    differences: list[list[Difference]]


def read_judged(run: LoggedRun) -> Judged:
    """What a run logged; raises `Mistake` for one that did not finish or lacks its files."""
    if run.status != "FINISHED":
        raise Mistake(f"run {run.name} ({run.short_id}) is {run.status}, not finished: there is nothing to compare")
    part = run.tags.get("cxr.judged_on", "")
    if part not in ("val", "test"):
        raise Mistake(f"run {run.name} ({run.short_id}) was not made by cxr: it has no tag cxr.judged_on")
    try:
        document = json.loads(run.file("evaluation/metrics.json").read_text())
        return Judged(run, part, Predictions.from_csv(run.file(f"predictions/{part}.csv"), tuple(document[part]["classes"])))
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"the results of run {run.name} ({run.short_id}) can't be read: {error}") from None


def why_not_comparable(reference: LoggedRun, other: LoggedRun) -> str | None:
    """Why two runs can't be compared, in words; none if they can."""
    said = {
        "cxr.data_fingerprint": "they saw different images",
        "cxr.split_fingerprint": "their images were split differently",
        "cxr.judged_on": "they were judged on different parts of the split",
    }
    for tag, reason in said.items():
        if reference.tags.get(tag) != other.tags.get(tag):
            return f"{reason} ({tag.removeprefix('cxr.')} {reference.tags.get(tag)} and {other.tags.get(tag)})"
    return None


def compare_runs(reference: Judged, others: Sequence[Judged]) -> Comparison:
    """Paired statistics of each run against the reference; raises `Mistake` where one was judged on other images."""
    for other in others:
        if reason := why_not_comparable(reference.run, other.run):
            raise Mistake(f"{in_short(other.run)} can't be compared with {in_short(reference.run)}: {reason}")
    groups = groups_of(reference)
    found = corrected([paired_differences(reference.predictions, other.predictions, groups) for other in others])
    return Comparison(reference, list(others), found)


def groups_of(judged: Judged) -> list[str]:
    """The group (patient, or exact copies of one image) of each image, in the order of the predictions."""
    manifest = pd.read_csv(judged.run.file("data/manifest.csv"), dtype=str, keep_default_na=False).set_index("path")
    return list(manifest.loc[list(judged.predictions.ids), "group"])


def config_differences(runs: Sequence[LoggedRun]) -> pd.DataFrame:
    """The params that differ, one row each, with a column a run (by short id)."""
    keys = sorted({key for run in runs for key in run.params if bears_on_result(key)})
    table = {key: [run.params.get(key, "") for run in runs] for key in keys}
    differing = {key: values for key, values in table.items() if len(set(values)) > 1}
    return pd.DataFrame.from_dict(differing, orient="index", columns=[run.short_id for run in runs]).rename_axis("setting")


def differences_frame(comparison: Comparison) -> pd.DataFrame:
    """All differences, one row a run and metric."""
    rows = [
        {"run": other.run.name, "run_id": other.run.id, "against": comparison.reference.run.id, **vars(difference)}
        for other, differences in zip(comparison.others, comparison.differences, strict=True)
        for difference in differences
    ]
    return pd.DataFrame(rows)


def in_short(run: LoggedRun) -> str:
    """A run's name and the beginning of its id."""
    return f"{run.name} ({run.short_id})"


def judged_in_words(judged: Judged) -> str:
    """The images that judge, in words."""
    return f"{len(judged.predictions.labels):,} images of the {part_in_full(judged.part)} part"
