"""Spread over seeds: which runs are one experiment, and how much of the spread comes from seeds and from images."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from cxr.compare.runs import compare_runs, read_evaluated_run
from cxr.compare.seeds import by_experiment, seed_difference, seed_differences, seed_spread
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, predicted

IDS = predicted(0, 1).ids


def row_of(table: pd.DataFrame, metric: str) -> dict[str, float]:
    return {str(name): float(str(value)) for name, value in table.loc[metric].items()}


def test_runs_with_other_seeds_are_one_experiment(make_run: MakeRun) -> None:
    for seed in (2, 0, 1):
        make_run(f"plain-{seed}", training_seed=seed)
    make_run("again", training_seed=1)  # of a seed the latest run counts
    make_run("focal", loss="focal")
    make_run("elsewhere", split="t", training_seed=3)
    experiments = by_experiment(filtered_runs(FINISHED))
    assert sorted([run.name for run in group] for group in experiments) == [
        ["elsewhere"],
        ["focal"],
        ["plain-0", "again", "plain-2"],
    ]


def test_spread_is_that_of_the_values_and_halves_add_in_squares() -> None:
    runs = [predicted(seed, 1.0) for seed in range(5)]
    table = seed_spread(runs, IDS)
    values = [float((run.predicted == run.labels).mean()) for run in runs]
    row = row_of(table, "accuracy")
    assert (row["mean"], row["sd"]) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (row["lowest"], row["highest"]) == (min(values), max(values))
    half = t.ppf(0.975, 4) * np.std(values, ddof=1) / np.sqrt(5)
    assert row["seeds_high"] - row["mean"] == pytest.approx(half)
    of_images = row["images_high"] - row["mean"]
    right = np.mean([run.predicted == run.labels for run in runs], axis=0)
    assert of_images == pytest.approx(1.96 * right.std() / np.sqrt(90), rel=0.06)
    assert row["both_high"] - row["mean"] == pytest.approx(np.hypot(half, of_images))
    shuffled = [runs[0], *(run.only(np.random.default_rng(0).permutation(90)) for run in runs[1:])]
    assert seed_spread(shuffled, IDS).equals(table)


def test_equal_trainings_have_no_spread_from_seeds() -> None:
    row = row_of(seed_spread([predicted(1, 1.0)] * 3, IDS), "auc_macro_ovr")
    assert row["sd"] == pytest.approx(0)
    assert row["seeds_low"] == pytest.approx(row["seeds_high"])
    assert row["both_low"] == pytest.approx(row["images_low"])


def test_difference_of_experiments_counts_the_seeds_of_both() -> None:
    worse, better = [predicted(seed, 1.0) for seed in range(4)], [predicted(seed, 3.0) for seed in range(10, 14)]
    row = row_of(seed_difference(worse, better, IDS), "accuracy")
    assert row["mean"] == pytest.approx(row["other"] - row["reference"])
    assert 0 < row["both_low"] < min(row["seeds_low"], row["images_low"])
    one = row_of(seed_difference(worse[:1], better, IDS), "accuracy")
    assert np.isfinite(one["both_low"])


def test_comparison_with_several_seeds_has_a_table_for_each_experiment(make_run: MakeRun) -> None:
    reference = make_run("base", role="baseline")
    runs = [make_run(f"good-{seed}", skill=3, seed=seed + 5, training_seed=seed) for seed in range(3)]
    single = make_run("single", loss="focal")
    comparison = compare_runs(read_evaluated_run(reference), [read_evaluated_run(run) for run in [*runs, single]])
    ((title, table),) = seed_differences(comparison)
    assert title == "good-0 against base, means over seeds: 1 seed (its spread is not known) and 3 seeds"
    assert row_of(table, "accuracy")["mean"] > 0
