"""Runs that differ only in their training seed: how much of the spread comes from the seed, how much from the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from cxr.compare.runs import Comparison, EvaluatedRun, groups_of
from cxr.evaluation.estimates import CONFIDENCE, Z
from cxr.evaluation.metric_table import names_at, scale_of
from cxr.evaluation.paired import RESAMPLES
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.stages.basis import bears_on_result
from cxr.tracking.search import LoggedRun

SEED = "training.seed"
# Columns of the tables: an interval from seeds alone, from images alone, and from both.
INTERVALS = {"seeds": "from seeds", "images": "from images", "both": "from both"}


@dataclass(frozen=True)
class Repeated:
    """The same experiment trained with several seeds, in the order of the seeds, and evaluated on the same images."""

    runs: tuple[EvaluatedRun, ...]

    @property
    def predictions(self) -> list[Predictions]:
        """Of each run, in the order of the first one's images."""
        return in_one_order([each.predictions for each in self.runs])

    @property
    def seeds(self) -> list[str]:
        """The seed of each run."""
        return [each.run.params.get(SEED, "?") for each in self.runs]


def identity(run: LoggedRun) -> tuple[object, ...]:
    """What runs of one experiment share, whatever their seed: config, data, split, evaluated part, code and libraries."""
    config = tuple(sorted((key, value) for key, value in run.params.items() if bears_on_result(key, run.params) and key != SEED))
    tags = ("data_fingerprint", "split_fingerprint", "judged_on", "role", "code_fingerprint", "library_fingerprint")
    return config, *(run.tags.get(f"cxr.{name}") for name in tags)


def by_experiment(runs: Sequence[LoggedRun]) -> list[list[LoggedRun]]:
    """Runs of one experiment together, by seed, in the order of the first run of each; of a seed the latest run counts."""
    found: dict[tuple[object, ...], dict[str, LoggedRun]] = {}
    for run in sorted(runs, key=lambda run: -run.started):
        if run.tags.get("cxr.role") != "evaluation" and SEED in run.params:
            found.setdefault(identity(run), {}).setdefault(run.params[SEED], run)
    return [[of_seed[seed] for seed in sorted(of_seed, key=int)] for of_seed in found.values()]


def in_one_order(predictions: Sequence[Predictions]) -> list[Predictions]:
    """The same predictions of the same images, each in the order of the first."""
    found = []
    for each in predictions:
        place = {name: row for row, name in enumerate(each.ids)}
        found.append(each.only(np.array([place[name] for name in predictions[0].ids], np.int64)))
    return found


def seed_spread(predictions: Sequence[Predictions], groups: Sequence[str]) -> pd.DataFrame:
    """Each compared metric over seeds, of predictions of the same images in the same order.

    Index: the metric. Columns: mean over seeds, sd between seeds (n - 1 in the denominator), lowest, highest, and the ends of the
    95 % intervals of the mean: seeds_low and seeds_high by Student's t over seeds, images_low and images_high by a bootstrap over
    `groups` of images, low and high of both. The two sources are independent, so their halves add in squares.
    """
    values, drawn, names = _means(predictions, groups)
    means, half = values.mean(axis=0), _half_of_seeds(values)
    return _table(names, predictions[0].classes, means, half, drawn, {"sd": values.std(axis=0, ddof=1), **_ends(values)})


def seed_difference(reference: Sequence[Predictions], other: Sequence[Predictions], groups: Sequence[str]) -> pd.DataFrame:
    """The difference of two experiments' means over seeds, on the same images in the same order.

    Columns: reference, other (means), mean (the difference), and ends of intervals as `seed_spread` has them. The seeds of an
    experiment with one run have no spread that could be counted.
    """
    first, second = _means(reference, groups), _means(other, groups)
    means = [each[0].mean(axis=0) for each in (first, second)]
    half = np.sqrt(_half_of_seeds(first[0]) ** 2 + _half_of_seeds(second[0]) ** 2)
    columns = {"reference": means[0], "other": means[1]}
    return _table(first[2], reference[0].classes, means[1] - means[0], half, second[1] - first[1], columns, clipped=False)


def seed_differences(comparison: Comparison) -> list[tuple[str, pd.DataFrame]]:
    """For each experiment with several seeds among the compared runs: a title, and its difference from the reference's."""
    runs = {each.run.id: each for each in (comparison.reference, *comparison.others)}
    experiments = [[runs[run.id] for run in group] for group in by_experiment([each.run for each in runs.values()])]
    (reference,) = (group for group in experiments if any(each is comparison.reference for each in group))
    first, found = comparison.reference.predictions, []
    for group in experiments:
        if group is reference or len(group) + len(reference) < 3:
            continue
        own, other = (in_one_order([first, *(each.predictions for each in side)])[1:] for side in (reference, group))
        seeds = " and ".join(_describe_seeds(len(side)) for side in (reference, group))
        title = f"{group[0].run.name} against {reference[0].run.name}, means over seeds: {seeds}"
        found.append((title, seed_difference(own, other, groups_of(comparison.reference))))
    return found


def _describe_seeds(count: int) -> str:
    return f"{count} seeds" if count > 1 else "1 seed (its spread is not known)"


def groups_of_images(evaluated: EvaluatedRun) -> list[str]:
    """The group of each image, in the order of the run's predictions."""
    return groups_of(evaluated)


def _means(predictions: Sequence[Predictions], groups: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Values (runs, metrics), resamples of their mean over runs (metrics, resamples), and the names of the metrics."""
    statistics = [statistics_of(each) for each in predictions]
    once = np.ones((1, len(groups)))
    values = np.stack([each(once)[:, 0] for each in statistics])

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(sum(each(weights) for each in statistics) / len(statistics))

    return values, resampled(mean, groups, RESAMPLES, seed=0), statistic_names(predictions[0].classes)


def _half_of_seeds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the interval of the mean over runs (runs, metrics); 0 for one run, of which nothing is known."""
    runs = len(values)
    if runs < 2:
        return np.zeros(values.shape[1])
    return np.asarray(t.ppf(0.5 + CONFIDENCE / 2, runs - 1) * values.std(axis=0, ddof=1) / np.sqrt(runs))


def _ends(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {"lowest": values.min(axis=0), "highest": values.max(axis=0)}


def _table(
    names: list[str],
    classes: Sequence[str],
    means: NDArray[np.float64],
    of_seeds: NDArray[np.float64],
    drawn: NDArray[np.float64],
    columns: dict[str, NDArray[np.float64]],
    clipped: bool = True,
) -> pd.DataFrame:
    of_images = Z * np.nanstd(drawn, axis=1)
    table = pd.DataFrame({"mean": means, **columns}, index=names)
    for kind, half in {"seeds": of_seeds, "images": of_images, "both": np.sqrt(of_seeds**2 + of_images**2)}.items():
        low, high = means - half, means + half
        if clipped:
            scales = [scale_of(name).ends for name in names]
            low, high = np.maximum(low, [each[0] for each in scales]), np.minimum(high, [each[1] for each in scales])
        table[f"{kind}_low"], table[f"{kind}_high"] = low, high
    return table.loc[names_at("compare", classes)].dropna(subset=["mean"])
