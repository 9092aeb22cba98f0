"""Runs that differ only in their training seed: how much of the spread comes from the seed, how much from the images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from cxr.compare.runs import Comparison, groups_of
from cxr.evaluation.estimates import CONFIDENCE, Z
from cxr.evaluation.metric_table import names_at, scale_of
from cxr.evaluation.paired import RESAMPLES
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.stages.basis import bears_on_result
from cxr.tracking.logged_run import LoggedRun

SEED = "training.seed"
# Columns of the tables: an interval from seeds alone, from images alone, and from both.
INTERVALS = {"seeds": "from seeds", "images": "from images", "both": "from both"}


def identity(run: LoggedRun) -> tuple[object, ...]:
    """What runs of one experiment share, whatever their seed: config, data, split, evaluated part, code and libraries."""
    config = tuple(sorted((key, value) for key, value in run.params.items() if bears_on_result(key, run.params) and key != SEED))
    tags = ("data_fingerprint", "split_fingerprint", "judged_on", "role", "code_fingerprint", "library_fingerprint")
    return config, *(run.tags.get(f"cxr.{name}") for name in tags)


def by_experiment(runs: Sequence[LoggedRun]) -> list[list[LoggedRun]]:
    """Runs of one experiment together, by seed, in the order of the first run of each; of a seed the latest run counts."""
    experiments: dict[tuple[object, ...], dict[str, LoggedRun]] = {}
    for run in sorted(runs, key=lambda run: -run.started):
        if run.tags.get("cxr.role") != "evaluation" and SEED in run.params:
            experiments.setdefault(identity(run), {}).setdefault(run.params[SEED], run)
    return [[of_seed[seed] for seed in sorted(of_seed, key=int)] for of_seed in experiments.values()]


def seed_spread(predictions: Sequence[Predictions], groups: Sequence[str]) -> pd.DataFrame:
    """Each compared metric over seeds, of predictions of the same images; `groups` are in the order of the first.

    The two sources of error, seeds and images, are independent, so their halves add in squares.

    Returns:
        Index: the metric. Columns: mean over seeds, sd between seeds (n - 1 in the denominator), lowest, highest, and the ends of
        the 95 % intervals of the mean: seeds_low and seeds_high by Student's t over seeds, images_low and images_high by a
        bootstrap over `groups`, both_low and both_high of both.
    """
    values, drawn = _means([of_run.in_order(predictions[0].ids) for of_run in predictions], groups)
    columns = {"sd": values.std(axis=0, ddof=1), "lowest": values.min(axis=0), "highest": values.max(axis=0)}
    table = pd.DataFrame({"mean": values.mean(axis=0), **columns}, index=statistic_names(predictions[0].classes))
    _add_intervals(table, _half_of_seeds(values), drawn)
    scales = np.array([scale_of(str(name)).ends for name in table.index])
    for kind in INTERVALS:
        table[f"{kind}_low"] = np.maximum(table[f"{kind}_low"], scales[:, 0])
        table[f"{kind}_high"] = np.minimum(table[f"{kind}_high"], scales[:, 1])
    return _compared(table, predictions[0].classes)


def seed_difference(reference: Sequence[Predictions], other: Sequence[Predictions], groups: Sequence[str]) -> pd.DataFrame:
    """The difference of two experiments' means over seeds, on the same images in the same order.

    The seeds of an experiment with one run have no spread that could be counted.

    Returns:
        Columns reference, other (means), mean (the difference), and ends of intervals as `seed_spread` has them.
    """
    (own, own_drawn), (others, others_drawn) = _means(reference, groups), _means(other, groups)
    before, after = own.mean(axis=0), others.mean(axis=0)
    columns = {"mean": after - before, "reference": before, "other": after}
    table = pd.DataFrame(columns, index=statistic_names(reference[0].classes))
    _add_intervals(table, np.sqrt(_half_of_seeds(own) ** 2 + _half_of_seeds(others) ** 2), others_drawn - own_drawn)
    return _compared(table, reference[0].classes)


def seed_differences(comparison: Comparison) -> list[tuple[str, pd.DataFrame]]:
    """The difference from the reference of each experiment with several seeds among the compared runs.

    Returns:
        Titles, and frames of `seed_difference`.
    """
    runs = {evaluated.run.id: evaluated for evaluated in (comparison.reference, *comparison.others)}
    experiments = [[runs[run.id] for run in group] for group in by_experiment([evaluated.run for evaluated in runs.values()])]
    (reference,) = (group for group in experiments if any(evaluated is comparison.reference for evaluated in group))
    tables = []
    for group in experiments:
        if group is reference or len(group) + len(reference) < 3:
            continue
        ids = comparison.reference.predictions.ids
        own, other = ([evaluated.predictions.in_order(ids) for evaluated in side] for side in (reference, group))
        seeds = " and ".join(f"{n} seeds" if n > 1 else "1 seed (its spread is not known)" for n in (len(own), len(other)))
        title = f"{group[0].run.name} against {reference[0].run.name}, means over seeds: {seeds}"
        tables.append((title, seed_difference(own, other, groups_of(comparison.reference))))
    return tables


def _means(predictions: Sequence[Predictions], groups: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values (runs, metrics), and resamples of their mean over runs (metrics, resamples)."""
    statistics = [statistics_of(of_run) for of_run in predictions]
    once = np.ones((1, len(groups)))
    values = np.stack([of_run(once)[:, 0] for of_run in statistics])

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(sum(of_run(weights) for of_run in statistics) / len(statistics))

    return values, resampled(mean, groups, RESAMPLES, seed=0)


def _half_of_seeds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the interval of the mean over runs (runs, metrics); 0 for one run, of which nothing is known."""
    if (runs := len(values)) < 2:
        return np.zeros(values.shape[1])
    return np.asarray(t.ppf(0.5 + CONFIDENCE / 2, runs - 1) * values.std(axis=0, ddof=1) / np.sqrt(runs))


def _add_intervals(table: pd.DataFrame, of_seeds: NDArray[np.float64], drawn: NDArray[np.float64]) -> None:
    """Add the ends of the three intervals around the means, from half the interval of seeds, and resamples."""
    of_images = Z * np.nanstd(drawn, axis=1)
    for kind, half in {"seeds": of_seeds, "images": of_images, "both": np.sqrt(of_seeds**2 + of_images**2)}.items():
        table[f"{kind}_low"], table[f"{kind}_high"] = table["mean"] - half, table["mean"] + half


def _compared(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The metrics that are compared and have a value."""
    return table.loc[names_at("compare", classes)].dropna(subset=["mean"])
