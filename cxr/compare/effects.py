"""What each part of a recipe is worth: main effects of the settings that differ among the experiments of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import norm

from cxr.compare.experiments import Experiment
from cxr.compare.runs import SPECIFICITIES, called_positive, name_with_id, positive_index
from cxr.errors import UserError
from cxr.evaluation.estimates import CONFIDENCE, PERCENT
from cxr.evaluation.paired import RESAMPLES
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.stages.basis import is_studied
from cxr.tracking.logged_run import LoggedRun

_TURNS = ("split.fold", "split", "training.seed", "hparams_search")  # what a sweep may vary besides what it studies
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

    @property
    def text(self) -> str:
        """As tables and sentences have it: `+0.020 (+0.010 to +0.030)`."""
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


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
        """The setting without its group, and the value; of an ablation the value alone."""
        return self.value if self.setting == "ablation" else f"{self.setting.rpartition('.')[2]}={self.value}"


def effects_of(experiments: Sequence[Experiment]) -> list[Effect]:
    """The effect of each setting and value on each metric, the largest in accuracy first.

    A setting's reference is its value in the experiment that was started first. Of several pairs, as in a full grid, the mean is
    taken (a main effect); pairs of one image set share their resamples, so that differences are paired image by image.

    Raises:
        UserError: No two experiments differ in one setting alone.
    """
    ordered = sorted(experiments, key=lambda experiment: min(evaluated.run.started for evaluated in experiment.runs))
    settings = sorted({key for experiment in ordered for key in _overridden(experiment.runs[0].run)})
    measured = {_values(experiment.runs[0].run, settings): _measure(experiment, ordered[0]) for experiment in ordered}
    compared = [pairs for key in settings for pairs in _effects_of_setting(key, measured)]
    if not compared:
        raise UserError("no two of these experiments differ in one setting alone: there is no effect to show")
    errors = float(norm.isf((1 - CONFIDENCE) / 2 / len(compared)))
    return sorted((_effect(*pairs, errors) for pairs in compared), key=lambda effect: -effect.changes["accuracy"].value)


_Cell = tuple[tuple[str, str], ...]  # the settings of an experiment, with their values


@dataclass(frozen=True)
class _Measured:
    """Values and resamples of each metric, (RESAMPLES,), and the mean seconds of training."""

    values: dict[str, float]
    drawn: dict[str, NDArray[np.float64]]
    seconds: float | None


_Pairs = tuple[str, str, str, Sequence[tuple[_Measured, _Measured]]]  # setting, value, reference, pairs that differ in it alone


def _measure(experiment: Experiment, first: Experiment) -> _Measured:
    """The metrics of an experiment on the images of `first`, in their order."""
    rows = experiment.pooled.rows_of(first.pooled.ids)
    predictions = experiment.pooled.only(rows)
    names = statistic_names(predictions.classes)
    wanted = [names.index(metric) for metric in METRICS]
    index, labels = positive_index(experiment.runs[0]), [*METRICS]
    if index is not None:
        is_positive = (predictions.labels == index).astype(float)
        hits = called_positive(experiment.runs, experiment.validation, index, SPECIFICITIES[0])[rows] * is_positive
        labels.append(SENSITIVITY)

    def statistics(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        values = statistics_of(predictions)(weights)[wanted]
        return values if index is None else np.concatenate([values, [(weights @ hits) / (weights @ is_positive)]])

    drawn = resampled(statistics, first.groups, RESAMPLES, seed=0)
    values = statistics(np.ones((1, len(rows))))[:, 0]
    spent = [sum(evaluated.run.seconds.get(stage, 0.0) for stage in ("frozen", "train")) for evaluated in experiment.runs]
    return _Measured(
        dict(zip(labels, map(float, values), strict=True)),
        dict(zip(labels, drawn, strict=True)),
        float(np.mean(spent)) if all(spent) else None,
    )


def _effects_of_setting(key: str, measured: Mapping[_Cell, _Measured]) -> list[_Pairs]:
    """The pairs for each value of one setting, against its value in the first experiment."""
    reference = dict(next(iter(measured)))[key]
    by_value: dict[str, list[tuple[_Measured, _Measured]]] = {}
    for cell, changed in measured.items():
        value, base = dict(cell)[key], tuple((name, reference if name == key else chosen) for name, chosen in cell)
        if value != reference and base in measured:
            by_value.setdefault(value, []).append((measured[base], changed))
    return [(key, value, reference, pairs) for value, pairs in by_value.items()]


def _effect(key: str, value: str, reference: str, pairs: Sequence[tuple[_Measured, _Measured]], errors: float) -> Effect:
    """An effect, with intervals that reach `errors` standard errors to either side."""
    changes = {}
    for metric in pairs[0][0].values:
        change = float(np.mean([b.values[metric] - a.values[metric] for a, b in pairs]))
        error = float(np.mean([b.drawn[metric] - a.drawn[metric] for a, b in pairs], axis=0).std())
        changes[metric] = MetricEffect(change, change - errors * error, change + errors * error)
    spent = [b.seconds - a.seconds for a, b in pairs if a.seconds is not None and b.seconds is not None]
    return Effect(key, value, reference, len(pairs), changes, float(np.mean(spent)) if len(spent) == len(pairs) else None)


def _overridden(run: LoggedRun) -> list[str]:
    """The groups and settings that a run chose and that bear on its result, without its part in a cross-validation."""
    keys = [str(override).lstrip("+~").partition("=")[0] for override in _read(run, "config/overrides.yaml") or ()]
    return [key for key in keys if key not in _TURNS and is_studied(key)]


def _values(run: LoggedRun, settings: Sequence[str]) -> _Cell:
    """Each of these settings with its value in a run, chosen or not: it may be of a sweep that did not name them."""
    choices = _read(run, "config/choices.yaml") or {}
    groups = {key: str(choices.get(key, "none")) for key in settings if "." not in key}
    chosen = {key: "none" if value in ("None", "null") else value for key, value in groups.items()}
    return tuple((key, chosen.get(key, run.params.get(key, ""))) for key in settings)


def _read(run: LoggedRun, name: str) -> Any:
    try:
        return yaml.safe_load(run.file(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{name} of run {name_with_id(run)} can't be read: {error}") from None


def describe_effects(effects: Sequence[Effect]) -> str:
    """Which changes are better, worse, and cost most, in sentences."""
    clear = [effect for effect in effects if effect.changes["accuracy"].is_clear]
    sentences = [f"Of {len(effects)} changes, {len(clear)} move accuracy by more than chance of images explains."]
    for name, ordered, sign in (("Better", clear, 1), ("Worse", clear[::-1], -1)):
        changes = [(effect.name, effect.changes["accuracy"]) for effect in ordered]
        texts = [f"{changed} {change.text}" for changed, change in changes if sign * change.value > 0]
        sentences += [f"{name}: {', '.join(texts)}."] if texts else []
    costs = {effect.name: effect.seconds for effect in effects if effect.seconds is not None}
    if costs:
        most, least = max(costs, key=lambda name: costs[name]), min(costs, key=lambda name: costs[name])
        sentences.append(f"{most} costs most time ({costs[most]:+.0f} s of training), {least} least ({costs[least]:+.0f} s).")
    together = f"hold for all {len(effects)} changes together with {PERCENT} confidence (Bonferroni)"
    return " ".join([*sentences, f"Intervals {together} and are of images; several seeds show how much another training differs."])
