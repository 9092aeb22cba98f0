"""`cxr folds`: what is summarised, and what is printed."""

import numpy as np
import pandas as pd
import pytest

from cxr.commands.folds import main
from cxr.compare.runs import read_results
from cxr.config.schema import SplitConfig
from cxr.errors import UserError
from tests.logged_runs import MakeRun


def fold(number: int) -> SplitConfig:
    return SplitConfig(name="kfold", method="folds", folds=3, fold=number)


def test_seeds_are_summarised_with_both_sources_of_spread(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1, 2):
        make_run(f"run-{seed}", seed=seed, training_seed=seed)
    main(["--csv", "all.csv"])
    said = capsys.readouterr().out
    assert "the same with other seeds (0, 1, 2), 90 images of the test part" in said
    for heading in ("from seeds", "from images", "from both"):
        assert heading in said
    table = pd.read_csv("all.csv").set_index("metric")
    assert f"{float(table['sd']['accuracy']):.3f}" in said


def test_folds_with_several_seeds_have_both_tables(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        for number in range(3):
            make_run(f"seed={seed}-fold={number}", seed=seed, training_seed=seed, fold=fold(number))
    main([])
    said = capsys.readouterr().out
    assert "3 runs, 90 images" in said
    assert "2 seeds, pooled predictions of 90 images" in said


def test_what_is_neither_says_how_to_make_them(make_run: MakeRun) -> None:
    make_run("alone")
    with pytest.raises(UserError, match=r"cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4"):
        main([])
    for seed in (1, 2):
        make_run(f"run-{seed}", training_seed=seed)
    with pytest.raises(UserError, match="--predictions writes the pooled predictions of folds"):
        main(["--predictions", "pooled.csv"])


def test_each_fold_chooses_its_own_threshold_on_validation(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Pooled: the positives that each fold finds at its own threshold, over the positives of all folds."""
    tags = {"cxr.positive_class": "covid", "cxr.evaluated_images": "30"}
    runs = [make_run(f"fold={number}", 2.5, seed=number, fold=fold(number), tags=tags) for number in range(3)]
    main([])
    found = positives = 0
    for run in runs:
        results = {part: each.predictions for part, each in read_results(run).items()}
        of_others = results["val"].probabilities[results["val"].labels != 0, 0]
        threshold = np.quantile(of_others, 0.95, method="inverted_cdf")
        of_class = results["test"].probabilities[results["test"].labels == 0, 0]
        found, positives = found + int((of_class > threshold).sum()), positives + len(of_class)
    said = capsys.readouterr().out
    assert (
        f"thresholds for specificity 0.95 that each chose on its own validation images: COVID sensitivity {found / positives:.3f} ("
        in said
    )
