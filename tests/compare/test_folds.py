"""Cross-validation: the right runs are combined, and the numbers follow from their predictions."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from cxr.compare.folds import gather, like, spread
from cxr.config.schema import SplitConfig
from cxr.errors import UserError
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, predicted


def fold(number: int) -> SplitConfig:
    return SplitConfig(name="kfold", method="folds", folds=3, fold=number)


def test_folds_are_pooled_and_their_spread_is_told(make_run: MakeRun) -> None:
    for number in (2, 0, 1):
        make_run(f"fold={number}", fold=fold(number))
    make_run("fold=1", fold=fold(1))  # done twice: the latest counts
    make_run("no fold")
    (found,) = gather(filtered_runs(FINISHED))
    assert (found.name, found.turns) == ("kfold", ["fold 0", "fold 1", "fold 2"])
    said, pooled = predicted(1, 1.0), found.pooled
    assert sorted(pooled.ids) == sorted(said.ids)
    table = spread(found)
    assert table.loc["accuracy", "pooled"] == pytest.approx(accuracy_score(said.labels, said.predicted))
    assert table.loc["auc_macro_ovr", "pooled"] == pytest.approx(
        roc_auc_score(said.labels, said.probabilities, multi_class="ovr", average="macro")
    )
    places = np.arange(90) // 3 % 3
    of_folds = [float((said.predicted == said.labels)[places == number].mean()) for number in range(3)]
    assert table.loc["accuracy", "mean"] == pytest.approx(np.mean(of_folds))
    assert table.loc["accuracy", "sd"] == pytest.approx(np.std(of_folds, ddof=1))
    assert tuple(table.loc["accuracy", ["lowest", "highest"]]) == (min(of_folds), max(of_folds))


def test_other_configs_are_other_cross_validations(make_run: MakeRun) -> None:
    for loss in ("plain", "focal"):
        for number in range(3):
            make_run(f"{loss}-fold={number}", fold=fold(number), loss=loss)
    runs = filtered_runs(FINISHED)
    assert [found.name for found in gather(runs)] == ["focal", "plain"]
    plain = next(run for run in runs if run.name == "plain-fold=1")
    assert [found.name for found in gather(like(plain, runs))] == ["plain"]


def test_a_fold_that_is_missing_is_named(make_run: MakeRun) -> None:
    make_run("fold=1", fold=fold(1))
    with pytest.raises(UserError, match=r"is not complete: add split.fold=0,2 to the command"):
        gather(filtered_runs(FINISHED))


def test_where_there_is_no_fold_it_says_how_to_make_them(make_run: MakeRun) -> None:
    run = make_run("no fold")
    with pytest.raises(UserError, match=r"cxr -m split=kfold split.fold=0,1,2,3,4"):
        gather(filtered_runs(FINISHED))
    with pytest.raises(UserError, match="is no fold of a cross-validation: its split is three_way"):
        like(run, [run])


def test_sources_that_took_turns_are_gathered_though_each_sets_other_images_apart(make_run: MakeRun) -> None:
    for source in "ba":
        run = make_run(f"source={source}", fold=SplitConfig(name="leave_source_out", method="sources", source=source, folds=2))
        if source == "b":
            with pytest.raises(UserError, match="is not complete: no other source has tested"):
                gather(filtered_runs(FINISHED))
    (found,) = gather(filtered_runs(FINISHED))
    assert (found.name, found.turns, len(found.pooled.ids)) == ("leave_source_out", ["source a", "source b"], 90)
    manifest = run.file("data/manifest.csv")
    pd.read_csv(manifest).assign(sha256="of other pixels").to_csv(manifest, index=False)
    with pytest.raises(UserError, match="used different images"):
        gather(filtered_runs(FINISHED))
