"""`cxr folds`: tables of folds and of seeds."""

import numpy as np
import pandas as pd
import pytest

from cxr.commands.folds import main
from cxr.compare.runs import predictions_of
from cxr.errors import UserError
from tests.logged_runs import MakeRun, fold


def test_seeds_are_summarised_with_both_sources_of_spread(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1, 2):
        make_run(f"run-{seed}", seed=seed, training_seed=seed)
    main(["--csv", "all.csv"])
    output = capsys.readouterr().out
    assert "the same with other seeds (0, 1, 2), 90 images of the test part" in output
    for heading in ("from seeds", "from images", "from both"):
        assert heading in output
    table = pd.read_csv("all.csv").set_index("metric")
    assert f"{float(table['sd']['accuracy']):.3f}" in output


def test_folds_with_several_seeds_have_both_tables(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        for number in range(3):
            make_run(f"seed={seed}-fold={number}", seed=seed, training_seed=seed, fold=fold(number))
    main([])
    output = capsys.readouterr().out
    assert "3 runs, 90 images" in output
    assert "2 seeds, pooled predictions of 90 images" in output


def test_runs_without_folds_or_seeds_are_answered_with_the_commands(make_run: MakeRun) -> None:
    make_run("alone")
    with pytest.raises(UserError, match=r"cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4"):
        main([])
    for seed in (1, 2):
        make_run(f"run-{seed}", training_seed=seed)
    with pytest.raises(UserError, match="--predictions writes the pooled predictions of folds"):
        main(["--predictions", "pooled.csv"])


def test_folds_choose_their_own_thresholds_on_validation(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Pooled: the positives that each fold detects at its own threshold, over the positives of all folds."""
    tags = {"cxr.positive_class": "covid", "cxr.evaluated_images": "30"}
    runs = [make_run(f"fold={number}", 2.5, seed=number, fold=fold(number), tags=tags) for number in range(3)]
    main([])
    detected = positives = 0
    for run in runs:
        results = predictions_of(run)
        of_others = results["val"].probabilities[results["val"].labels != 0, 0]
        threshold = np.quantile(of_others, 0.95, method="inverted_cdf")
        of_class = results["test"].probabilities[results["test"].labels == 0, 0]
        detected, positives = detected + int((of_class > threshold).sum()), positives + len(of_class)
    output = capsys.readouterr().out
    text = "thresholds for specificity 0.95 that each chose on its own validation images: COVID sensitivity"
    assert f"{text} {detected / positives:.3f} (" in output
