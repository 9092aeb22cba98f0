"""The experiments of a table: complete ones on the same images, and the reason for each that is missing."""

import re
from typing import Any

import pytest

from cxr.compare.experiments import known_presets, of_presets, of_runs, reference_of
from cxr.errors import UserError
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, fold

BOTH = ("frozen_head_baseline", "fast")


def three_folds(make_run: MakeRun, name: str, skill: float = 1.0, **about: Any) -> list[LoggedRun]:
    return [make_run(f"{name}-{number}", skill, fold=fold(number), **about) for number in range(3)]


def test_folds_of_presets_are_gathered_before_single_runs(make_run: MakeRun) -> None:
    for preset in BOTH:
        three_folds(make_run, preset, preset=preset)
    make_run("alone", preset="fast")
    chosen = of_presets(filtered_runs(FINISHED), BOTH)
    assert [(made.name, len(made.runs), len(made.validation)) for made in chosen.experiments] == [(name, 3, 3) for name in BOTH]
    assert (chosen.missing, chosen.others) == ({}, 1)
    assert chosen.evaluated_text == "90 images, each by the network of 3 folds that did not train on it"
    assert reference_of(chosen.experiments).name == "frozen_head_baseline"


def test_run_chooses_the_images_and_the_split(make_run: MakeRun) -> None:
    three_folds(make_run, "fast", preset="fast")
    alone = make_run("alone", preset="fast")
    chosen = of_presets(filtered_runs(FINISHED), BOTH, like=alone)
    assert [made.runs[0].run.id for made in chosen.experiments] == [alone.id]
    assert chosen.evaluated_text == "90 images of the test part"
    with pytest.raises(UserError, match="no finished run of a preset has the images and split of other"):
        of_presets(filtered_runs(FINISHED), BOTH, like=make_run("other", split="t"))


def test_missing_folds_are_named_with_what_makes_them(make_run: MakeRun) -> None:
    three_folds(make_run, "fast", preset="fast")
    make_run("frozen-1", fold=fold(1), preset="frozen_head_baseline")
    chosen = of_presets(filtered_runs(FINISHED), BOTH)
    assert [made.name for made in chosen.experiments] == ["fast"]
    assert chosen.missing == {"frozen_head_baseline": "add split.fold=0,2 to the command that made it"}
    make_run("frozen-2", fold=fold(2), preset="frozen_head_baseline", tags={"cxr.code_fingerprint": "newer"})
    assert "frozen_head_baseline" in of_presets(filtered_runs(FINISHED), BOTH).missing  # folds of two versions are no whole


def test_earlier_complete_set_counts_where_the_latest_lacks_a_fold(make_run: MakeRun) -> None:
    three_folds(make_run, "fast", preset="fast")
    make_run("again", fold=fold(0), preset="fast", tags={"cxr.code_fingerprint": "newer"})
    (experiment,) = of_presets(filtered_runs(FINISHED), ("fast",)).experiments
    assert [evaluated.run.name for evaluated in experiment.runs] == ["fast-0", "fast-1", "fast-2"]


def test_presets_without_a_run_are_answered_with_the_command(make_run: MakeRun) -> None:
    make_run("of no preset")
    with pytest.raises(UserError, match=r"presets frozen_head_baseline, fast as they are today: make them with  cxr results --run"):
        of_presets(filtered_runs(FINISHED), BOTH)


def test_named_runs_have_to_be_of_the_same_images(make_run: MakeRun) -> None:
    one, other = make_run("one"), make_run("other", split="t")
    with pytest.raises(UserError, match=re.escape("other") + ".* can't be in one table with one.*split differently"):
        of_runs([one, other])
    folds = three_folds(make_run, "fold")
    with pytest.raises(UserError, match="is no fold and fold-0"):
        of_runs([one, *folds])
    with pytest.raises(UserError, match=r"not complete: add split.fold=2"):
        of_runs(folds[:2])
    assert [made.name for made in of_runs([one, make_run("two")]).experiments] == ["one", "two"]


def test_evaluations_of_folds_count_where_they_are_named(make_run: MakeRun) -> None:
    folds = three_folds(make_run, "fold")
    again = three_folds(make_run, "again", 2.0, tags={"cxr.role": "evaluation", "cxr.code_fingerprint": "newer"})
    assert [[evaluated.run.name for evaluated in made.runs] for made in of_runs([*folds, *again]).experiments] == [
        ["fold-0", "fold-1", "fold-2"],
        ["again-0", "again-1", "again-2"],
    ]


def test_same_fold_of_several_configs_is_a_split_like_any_other(make_run: MakeRun) -> None:
    runs = [make_run(loss, fold=fold(1), loss=loss) for loss in ("plain", "focal")]
    chosen = of_runs(runs)
    assert [(made.name, len(made.runs)) for made in chosen.experiments] == [("plain", 1), ("focal", 1)]
    assert chosen.evaluated_text == "30 images of the test part"


def test_runs_of_one_name_get_their_ids(make_run: MakeRun) -> None:
    names = [made.name for made in of_runs([make_run("same"), make_run("same", seed=2)]).experiments]
    assert len(set(names)) == 2


def test_unknown_preset_is_refused() -> None:
    assert known_presets("fast, frozen_head_baseline") == ["frozen_head_baseline", "fast"]
    with pytest.raises(UserError, match="there is no preset quick: choose from: original_protocol, "):
        known_presets("fast,quick")
