"""Cross-validation: runs that differ only in their test part, combined into one result with its spread."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr.compare.runs import EvaluatedRun, name_with_id, read_evaluated_run
from cxr.data.safe_csv import read_csv
from cxr.errors import UserError
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.predictions import Predictions
from cxr.stages.basis import bears_on_result
from cxr.tracking.logged_run import LoggedRun

# By split.method, the setting that names the test part.
_TURN = {"folds": "split.fold", "sources": "split.source"}


@dataclass(frozen=True)
class CrossValidation:
    """One run for each fold, or for each of two sources and more, in their order.

    Folds test each image once. A source is tested with images of classes that it lacks, which may be tested again in other turns.
    """

    runs: tuple[EvaluatedRun, ...]

    @property
    def name(self) -> str:
        """The common part of the runs' names."""
        run = self.runs[0].run
        return re.sub(r"(^|-)(fold|source)=[^-]*", "", run.name).strip("-") or run.params["split.name"]

    @property
    def turns(self) -> list[str]:
        """The test part of each run, as `turn_of` describes it."""
        return [turn_of(evaluated.run) for evaluated in self.runs]

    @property
    def pooled(self) -> Predictions:
        """The prediction of each image by the first network that did not train on it."""
        return pool(self.runs)


def pool(runs: Sequence[EvaluatedRun]) -> Predictions:
    """The predictions of all runs together, in the order of the runs; of an image in several runs the first one's."""
    parts = [evaluated.predictions for evaluated in runs]
    whole = Predictions(
        ids=tuple(name for part in parts for name in part.ids),
        classes=parts[0].classes,
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate([part.probabilities for part in parts]),
    )
    return whole.only(np.sort(np.unique(whole.ids, return_index=True)[1]))


def turn_of(run: LoggedRun) -> str:
    """The test part of a run: a fold by its number, or a source.

    >>> turn_of(LoggedRun("", "", "", 0, {}, {"split.method": "folds", "split.fold": "3"}, {}))
    'fold 3'
    """
    key = _TURN[run.params["split.method"]]
    return f"{key.removeprefix('split.')} {run.params[key]}"


def is_fold(run: LoggedRun, or_evaluation: bool = False) -> bool:
    """Whether a run tests one part in turn of a cross-validation; with `or_evaluation` also one that evaluates such a run again."""
    return run.params.get("split.method") in _TURN and (or_evaluation or run.tags.get("cxr.role") != "evaluation")


def gather(runs: Sequence[LoggedRun], with_evaluations: bool = False) -> list[CrossValidation]:
    """The cross-validations among finished runs, that of the latest run first; of runs with the same fold the latest counts.

    Evaluations of runs count only `with_evaluations`. Older incomplete cross-validations are left out.

    Raises:
        UserError: No run is a fold, or the latest cross-validation lacks one.
    """
    sets = _by_turn(runs, with_evaluations)
    if not sets:
        raise UserError("no finished run here is a fold: make them with  cxr -m split=kfold split.fold=0,1,2,3,4")
    if gap := _lacking(sets[0]):
        run = next(iter(sets[0].values()))
        raise UserError(f"the cross-validation of {name_with_id(run)} is not complete: {gap}")
    return [_cross_validation(by_turn) for by_turn in sets if not _lacking(by_turn)]


def latest_complete(runs: Sequence[LoggedRun]) -> tuple[CrossValidation | None, str]:
    """The latest cross-validation that lacks nothing; without one, None and what the one with most folds lacks."""
    sets = _by_turn(runs)
    if complete := next((by_turn for by_turn in sets if not _lacking(by_turn)), None):
        return _cross_validation(complete), ""
    return None, _lacking(max(sets, key=len)) if sets else "no fold of it has finished"


def _by_turn(runs: Sequence[LoggedRun], with_evaluations: bool = False) -> list[dict[str, LoggedRun]]:
    """Runs of one cross-validation together, by the part that they test, that of the latest run first."""
    sets: dict[tuple[object, ...], dict[str, LoggedRun]] = {}
    for run in sorted(runs, key=lambda run: -run.started):
        if is_fold(run, with_evaluations):
            sets.setdefault(_common(run), {}).setdefault(run.params[_TURN[run.params["split.method"]]], run)
    return list(sets.values())


def like(run: LoggedRun, runs: Sequence[LoggedRun]) -> list[LoggedRun]:
    """The runs of the cross-validation that a run belongs to.

    Raises:
        UserError: The run is no fold.
    """
    if not is_fold(run, or_evaluation=True):
        raise UserError(f"run {name_with_id(run)} is no fold of a cross-validation: its split is {run.params.get('split.name')}")
    return [other for other in runs if is_fold(other, or_evaluation=True) and _common(other) == _common(run)]


def spread(validation: CrossValidation) -> pd.DataFrame:
    """Each test metric over the folds and of the pooled predictions.

    Folds share training images, so that sd over the square root of the folds is no standard error.

    Returns:
        Index: the metric. Columns: mean, sd (n - 1 in the denominator), lowest, highest, pooled, folds (that have a value).

    Source:
        Bengio and Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation", 2004.
    """
    folds = pd.DataFrame([evaluate(evaluated.predictions).numbers for evaluated in validation.runs])
    pooled = pd.Series(evaluate(validation.pooled).numbers)
    columns = {"mean": folds.mean(), "sd": folds.std(ddof=1), "lowest": folds.min(), "highest": folds.max()}
    table = pd.DataFrame({**columns, "pooled": pooled.reindex(folds.columns), "folds": folds.count()})
    return table.loc[[name for name in pooled.index if name in folds]]


def _common(run: LoggedRun) -> tuple[object, ...]:
    """What runs of one cross-validation share: the config except the test part, the code, and the images of all folds.

    A source that tests sets other images apart than the next, so sources are compared image by image when they are gathered.
    """
    method = run.params["split.method"]
    turn = _TURN[method]
    config = tuple(sorted((key, value) for key, value in run.params.items() if bears_on_result(key, run.params) and key != turn))
    made_with = run.tags.get("cxr.code_fingerprint"), run.tags.get("cxr.library_fingerprint")
    return config, made_with, run.tags.get("cxr.data_fingerprint") if method == "folds" else None


def _lacking(by_turn: Mapping[str, LoggedRun]) -> str:
    """The missing part of a cross-validation, and how to make it; "" for nothing."""
    run = next(iter(by_turn.values()))
    if run.params["split.method"] == "sources":
        others = "no other source has tested: cxr -m split=leave_source_out split.source=A,B,..."
        return "" if len(by_turn) > 1 else others
    missing = [str(fold) for fold in range(int(run.params["split.folds"])) if str(fold) not in by_turn]
    return f"add split.fold={','.join(missing)} to the command that made it" if missing else ""


def _cross_validation(by_turn: Mapping[str, LoggedRun]) -> CrossValidation:
    order = sorted(by_turn, key=lambda turn: (not turn.isdigit(), int(turn) if turn.isdigit() else 0, turn))
    runs = tuple(read_evaluated_run(by_turn[turn]) for turn in order)
    _check_same_images(runs)
    ids = [name for evaluated in runs for name in evaluated.predictions.ids]
    twice = len(set(ids)) < len(ids) and runs[0].run.params["split.method"] == "folds"
    if twice or any(evaluated.predictions.classes != runs[0].predictions.classes for evaluated in runs):
        raise UserError(
            f"the folds of {name_with_id(runs[0].run)} test some images twice, or have other classes: they can't be pooled"
        )
    return CrossValidation(runs)


def _check_same_images(runs: Sequence[EvaluatedRun]) -> None:
    """Raise `UserError` if runs share no image, or an image has different pixels in another run."""
    manifests = [read_csv(evaluated.run.file("data/manifest.csv")).set_index("path")["sha256"] for evaluated in runs]
    for evaluated, manifest in zip(runs, manifests, strict=True):
        shared = manifest[manifest.index.isin(manifests[0].index)]
        if shared.empty or (manifests[0][shared.index] != shared).any():
            raise UserError(
                f"{name_with_id(runs[0].run)} and {name_with_id(evaluated.run)} used different images: they can't be pooled"
            )
