"""What each part of a recipe is worth: main effects of the settings that differ among the experiments of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import norm

from cxr.compare.thresholds import SPECIFICITIES, called_positive, positive_index
from cxr.errors import UserError
from cxr.evaluation.estimates import CONFIDENCE, PERCENT
from cxr.evaluation.paired import RESAMPLES
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.results.experiments import Experiment
from cxr.results.table import pooled
from cxr.stages.basis import is_studied
from cxr.tracking.search import LoggedRun

_TURNS = ("split.fold", "split", "training.seed", "hparams_search")  # what a sweep may vary beside what it studies
METRIC_NAMES = {"auc_macro_ovr": "macro AUC", "log_loss": "log loss (lower is better)"}
METRICS = ("accuracy", "auc_macro_ovr", "log_loss")
SENSITIVITY = f"sensitivity at specificity {SPECIFICITIES[0]:g}"


@dataclass(frozen=True)
class MetricEffect:
    """The mean change of a metric, with the ends of its interval; the interval is of images, not of trainings.

    The intervals of all effects on one metric hold together with 95 % confidence (Bonferroni), so it is wider the more there are.
    """

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Effect:
    """What a setting at `value` changes, against its `reference`, over `pairs` pairs of experiments that differ in it alone."""

    setting: str
    value: str
    reference: str
    pairs: int
    changes: Mapping[str, MetricEffect]
    seconds: float | None  # mean change of the time of training, the frozen part included

    @property
    def name(self) -> str:
        """For a table."""
        return self.value if self.setting == "ablation" else f"{self.setting.rpartition('.')[2]}={self.value}"


def effects_of(experiments: Sequence[Experiment]) -> list[Effect]:
    """The effect of each setting and value on each metric, the largest in accuracy first.

    A setting's reference is its value in the experiment that was started first. Of several pairs, as in a full grid, the mean is
    taken (a main effect); pairs of one image set share their resamples, so that differences are paired image by image.
    Raises `UserError` where no two experiments differ in one setting alone.
    """
    ordered = sorted(experiments, key=lambda each: min(run.run.started for run in each.runs))
    runs = [each.runs[0].run for each in ordered]
    settings = sorted({key for run in runs for key in _overridden(run)})
    cells = {tuple(_values(run, settings).items()): each for run, each in zip(runs, ordered, strict=True)}
    varied = [key for key in settings if len({dict(cell).get(key) for cell in cells}) > 1]
    measured = {cell: _Measured.of(each, ordered[0]) for cell, each in cells.items()}
    compared = [pairs for key in varied for pairs in _pairs_of(key, cells, measured)]
    if not compared:
        raise UserError("no two of these experiments differ in one setting alone: there is no effect to tell")
    errors = float(norm.isf((1 - CONFIDENCE) / 2 / len(compared)))
    return sorted((_effect(*pairs, errors) for pairs in compared), key=lambda effect: -effect.changes["accuracy"].value)


@dataclass(frozen=True)
class _Measured:
    """Values and resamples of each metric, (RESAMPLES,), and the mean seconds of training."""

    values: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]
    seconds: float | None

    @classmethod
    def of(cls, experiment: Experiment, first: Experiment) -> "_Measured":
        whole, order = pooled(experiment), {name: row for row, name in enumerate(pooled(experiment).ids)}
        rows = np.array([order[name] for name in pooled(first).ids], np.int64)
        predictions, names = whole.only(rows), statistic_names(whole.classes)
        wanted = [names.index(metric) for metric in METRICS]
        index = positive_index(experiment.runs[0])
        labels = [*METRICS]
        hits = np.zeros(0)
        if index is not None:
            is_positive = predictions.labels == index
            hits = (called_positive(experiment.runs, experiment.validation, index, SPECIFICITIES[0])[rows] & is_positive).astype(
                float
            )
            labels.append(SENSITIVITY)

        def statistics(weights: NDArray[np.float64]) -> NDArray[np.float64]:
            found = statistics_of(predictions)(weights)[wanted]
            if not len(hits):
                return found
            return np.concatenate([found, [(weights @ hits) / (weights @ is_positive.astype(float))]])

        drawn = resampled(statistics, first.groups, RESAMPLES, seed=0)
        values = statistics(np.ones((1, len(rows))))[:, 0]
        spent = [sum(each.run.seconds.get(stage, 0.0) for stage in ("frozen", "train")) for each in experiment.runs]
        return cls(
            dict(zip(labels, map(float, values), strict=True)),
            dict(zip(labels, drawn, strict=True)),
            float(np.mean(spent)) if all(spent) else None,
        )


_Cell = tuple[tuple[str, str], ...]


_Pairs = tuple[str, str, str, Sequence[tuple[_Measured, _Measured]]]  # setting, value, reference, pairs that differ in it alone


def _pairs_of(key: str, cells: Mapping[_Cell, Experiment], measured: Mapping[_Cell, _Measured]) -> list[_Pairs]:
    """The pairs for each value of one setting, against that of the first experiment."""
    reference = dict(next(iter(cells))).get(key, "")
    values = dict.fromkeys(dict(cell).get(key, "") for cell in cells)
    found: list[_Pairs] = []
    for value in values:
        if value == reference:
            continue
        others = {_without(cell, key): cell for cell in cells if dict(cell).get(key, "") == reference}
        pairs = [
            (measured[others[_without(cell, key)]], measured[cell])
            for cell in cells
            if dict(cell).get(key, "") == value and _without(cell, key) in others
        ]
        if pairs:
            found.append((key, value, reference, pairs))
    return found


def _effect(key: str, value: str, reference: str, pairs: Sequence[tuple[_Measured, _Measured]], errors: float) -> Effect:
    """An effect, with intervals that reach `errors` standard errors to either side."""
    changes = {}
    for metric in pairs[0][0].values:
        change = float(np.mean([b.values[metric] - a.values[metric] for a, b in pairs]))
        error = float(np.mean([b.drawn[metric] - a.drawn[metric] for a, b in pairs], axis=0).std())
        changes[metric] = MetricEffect(change, change - errors * error, change + errors * error)
    times = [(a.seconds, b.seconds) for a, b in pairs]
    spent = [b - a for a, b in times if a is not None and b is not None]
    return Effect(key, value, reference, len(pairs), changes, float(np.mean(spent)) if len(spent) == len(pairs) else None)


def _without(cell: _Cell, key: str) -> _Cell:
    return tuple(pair for pair in cell if pair[0] != key)


def _overridden(run: LoggedRun) -> list[str]:
    """The groups and settings that a run chose and that bear on its result, without its part in a cross-validation."""
    keys = [str(each).lstrip("+~").partition("=")[0] for each in _read(run, "config/overrides.yaml") or ()]
    return [key for key in keys if key not in _TURNS and is_studied(key)]


def _values(run: LoggedRun, settings: Sequence[str]) -> dict[str, str]:
    """What a run had for these, chosen or not: it may be of a sweep that did not name them."""
    choices = _read(run, "config/choices.yaml") or {}
    groups = {key: str(choices.get(key, "none")) for key in settings if "." not in key}
    chosen = {key: "none" if value in ("None", "null") else value for key, value in groups.items()}
    return {key: chosen.get(key, run.params.get(key, "")) for key in settings}


def _read(run: LoggedRun, name: str) -> Any:
    try:
        return yaml.safe_load(run.file(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{name} of run {run.name} ({run.short_id}) can't be read: {error}") from None


def paragraph(effects: Sequence[Effect]) -> str:
    """What the effects say, in sentences."""
    clear = [effect for effect in effects if effect.changes["accuracy"].is_clear]
    better = [effect for effect in clear if effect.changes["accuracy"].value > 0]
    worse = [effect for effect in reversed(clear) if effect.changes["accuracy"].value < 0]
    said = [f"Of {len(effects)} changes, {len(clear)} move accuracy by more than chance of images explains."]
    if better:
        said.append(f"Better: {_listed(better)}.")
    if worse:
        said.append(f"Worse: {_listed(worse)}.")
    dear = [effect for effect in effects if effect.seconds is not None]
    if dear:
        most = max(dear, key=lambda effect: effect.seconds or 0)
        least = min(dear, key=lambda effect: effect.seconds or 0)
        said.append(
            f"{most.name} costs most time ({most.seconds:+.0f} s of training), {least.name} least ({least.seconds:+.0f} s)."
        )
    together = f"hold for all {len(effects)} changes together with {PERCENT} confidence (Bonferroni)"
    last = f"Intervals {together} and are of images; how much another training would differ, several seeds tell."
    return " ".join([*said, last])


def _listed(effects: Sequence[Effect]) -> str:
    told = [(effect.name, effect.changes["accuracy"]) for effect in effects]
    return ", ".join(f"{name} {change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})" for name, change in told)
