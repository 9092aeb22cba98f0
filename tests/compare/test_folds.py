"""Cross-validation: the right runs are combined, and the numbers follow from their predictions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from cxr.compare.folds import gather, like, spread
from cxr.config.schema import SplitConfig
from cxr.errors import UserError
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, fold, predicted


def test_folds_are_pooled_and_have_a_spread(make_run: MakeRun) -> None:
    for number in (2, 0, 1):
        make_run(f"fold={number}", fold=fold(number))
    make_run("fold=1", fold=fold(1))  # done twice: the latest counts
    make_run("no fold")
    (validation,) = gather(filtered_runs(FINISHED))
    assert (validation.name, validation.turns) == ("kfold", ["fold 0", "fold 1", "fold 2"])
    whole = predicted(1, 1.0)
    assert sorted(validation.pooled.ids) == sorted(whole.ids)
    table = spread(validation)
    assert table.loc["accuracy", "pooled"] == pytest.approx(accuracy_score(whole.labels, whole.predicted))
    assert table.loc["auc_macro_ovr", "pooled"] == pytest.approx(
        roc_auc_score(whole.labels, whole.probabilities, multi_class="ovr", average="macro")
    )
    places = np.arange(90) // 3 % 3
    of_folds = [float((whole.predicted == whole.labels)[places == number].mean()) for number in range(3)]
    assert table.loc["accuracy", "mean"] == pytest.approx(np.mean(of_folds))
    assert table.loc["accuracy", "sd"] == pytest.approx(np.std(of_folds, ddof=1))
    assert tuple(table.loc["accuracy", ["lowest", "highest"]]) == (min(of_folds), max(of_folds))


def test_other_configs_are_other_cross_validations(make_run: MakeRun) -> None:
    for loss in ("plain", "focal"):
        for number in range(3):
            make_run(f"{loss}-fold={number}", fold=fold(number), loss=loss)
    runs = filtered_runs(FINISHED)
    assert [validation.name for validation in gather(runs)] == ["focal", "plain"]
    plain = next(run for run in runs if run.name == "plain-fold=1")
    assert [validation.name for validation in gather(like(plain, runs))] == ["plain"]


def test_missing_fold_is_named(make_run: MakeRun) -> None:
    make_run("fold=1", fold=fold(1))
    with pytest.raises(UserError, match=r"is not complete: add split.fold=0,2 to the command"):
        gather(filtered_runs(FINISHED))


def test_runs_without_folds_are_answered_with_the_command(make_run: MakeRun) -> None:
    run = make_run("no fold")
    with pytest.raises(UserError, match=r"cxr -m split=kfold split.fold=0,1,2,3,4"):
        gather(filtered_runs(FINISHED))
    with pytest.raises(UserError, match="is no fold of a cross-validation: its split is three_way"):
        like(run, [run])


def test_sources_are_gathered_across_their_different_image_sets(make_run: MakeRun) -> None:
    for source in "ba":
        run = make_run(f"source={source}", fold=SplitConfig(name="leave_source_out", method="sources", source=source, folds=2))
        if source == "b":
            with pytest.raises(UserError, match="is not complete: no other source has tested"):
                gather(filtered_runs(FINISHED))
    (validation,) = gather(filtered_runs(FINISHED))
    assert (validation.name, validation.turns, len(validation.pooled.ids)) == ("leave_source_out", ["source a", "source b"], 90)
    manifest = run.file("data/manifest.csv")
    pd.read_csv(manifest).assign(sha256="of other pixels").to_csv(manifest, index=False)
    with pytest.raises(UserError, match="used different images"):
        gather(filtered_runs(FINISHED))
