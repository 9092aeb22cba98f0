"""Splits: by group, with their fractions, deterministic, independent of file order, stable if images are added."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.config.schema import SplitConfig
from cxr.data.image_list import ImageList, image_list_of
from cxr.data.split import assign_parts, check_groups, check_split, split_for, split_note
from cxr.errors import UserError

ROWS = st.lists(
    st.tuples(st.integers(0, 60).map(str), st.sampled_from("ab"), st.sampled_from(["x", "y", "z"])), min_size=1, max_size=120
)
SPLITS = st.one_of(
    st.builds(SplitConfig, seed=st.integers(0, 3), test=st.sampled_from([0.0, 0.2])),
    st.builds(SplitConfig, method=st.just("folds"), folds=st.just(3), fold=st.integers(0, 2), seed=st.integers(0, 3)),
)


def frame(rows: list[tuple[str, str, str]]) -> pd.DataFrame:
    images = pd.DataFrame(rows, columns=["group", "label", "source"], dtype=str)
    return images.assign(split="", path=[f"{number}.png" for number in range(len(rows))])


@settings(max_examples=50)
@given(rows=ROWS, split=SPLITS, seed=st.integers(0, 5))
def test_order_of_images_does_not_matter_and_no_group_is_torn(
    rows: list[tuple[str, str, str]], split: SplitConfig, seed: int
) -> None:
    images = frame(rows)
    images["split"] = assign_parts(images, split)
    check_groups(images)
    shuffled = images.sample(frac=1, random_state=seed).reset_index(drop=True)
    assert list(assign_parts(shuffled, split)) == list(shuffled["split"])


@settings(max_examples=50)
@given(count=st.integers(20, 400), validation=st.floats(0.1, 0.4), test=st.one_of(st.just(0.0), st.floats(0.1, 0.4)))
def test_each_class_is_split_at_its_fractions(count: int, validation: float, test: float) -> None:
    images = frame([(f"{label}-{index}", label, "") for label in "ab" for index in range(count)])
    sizes = Counter(zip(images["label"], assign_parts(images, SplitConfig(validation=validation, test=test)), strict=True))
    for label in "ab":
        assert sizes[label, "val"] / count == pytest.approx(validation, abs=0.03 + 2 / count)
        assert sizes[label, "test"] / count == pytest.approx(test, abs=0.02 + 1 / count)


def test_three_images_of_a_class_have_all_parts() -> None:
    assert sorted(assign_parts(frame([(str(index), "a", "") for index in range(3)]), SplitConfig())) == ["test", "train", "val"]


@pytest.mark.parametrize("split", [SplitConfig(), SplitConfig(method="folds")])
def test_seed_matters_and_new_images_move_hardly_any(split: SplitConfig) -> None:
    images = frame([(str(index), "ab"[index % 2], "") for index in range(1000)])
    first = assign_parts(images, split)
    assert (assign_parts(images, SplitConfig(method=split.method, seed=1)) != first).mean() > 0.3
    grown = frame([(str(index), "ab"[index % 2], "") for index in range(1100)])
    assert (assign_parts(grown, split)[:1000] != first).sum() <= 5


def test_folds_test_each_image_once() -> None:
    images = frame([(str(index // 2), "abc"[index % 3], "") for index in range(300)])
    tested = sum((assign_parts(images, SplitConfig(method="folds", folds=5, fold=fold)) == "test").astype(int) for fold in range(5))
    assert (np.asarray(tested) == 1).all()


def test_source_that_is_left_out_is_the_test_part() -> None:
    images = frame([(str(index), "ab"[index % 2], "xyz"[index % 3]) for index in range(90)])
    parts = assign_parts(images, SplitConfig(method="sources", source="y"))
    assert ((parts == "test") == (images["source"] == "y")).all()
    assert set(parts[images["source"] != "y"]) == {"train", "val"}


def test_classes_that_the_source_lacks_have_test_images_of_others() -> None:
    images = frame([(str(index), "abc"[index % 3], "yx"[index % 3 > 0]) for index in range(300)])  # y has class a alone
    parts = assign_parts(images, SplitConfig(method="sources", source="y"))
    tested = images[parts == "test"]
    assert (parts[images["source"] == "y"] == "test").all()
    assert tested["label"].value_counts().to_dict() == {"a": 100, "b": pytest.approx(20, abs=2), "c": pytest.approx(20, abs=2)}
    assert set(images["label"][parts == "train"]) == {"b", "c"}
    without = assign_parts(images, SplitConfig(method="sources", source="y", test=0.0))
    assert set(images["label"][without == "test"]) == {"a"}


def test_copies_across_sources_and_images_of_unknown_source_have_no_part() -> None:
    rows = [(str(index), "ab"[index % 2], "xy"[index % 2]) for index in range(20)]
    images = frame([*rows, ("0", "a", "y"), ("crossing", "a", "x"), ("crossing", "a", "y"), ("unknown", "a", "")])
    images["split"] = assign_parts(images, SplitConfig(method="sources", source="y"))
    assert list(images["split"][20:]) == ["test", "", "test", ""]
    assert images["split"][0] == ""  # its copy tests
    check_groups(images)


def image_list(rows: list[tuple[str, str, str]], **columns: str | list[str]) -> ImageList:
    return image_list_of(Path(), ("a", "b"), frame(rows).assign(**columns))


ENOUGH = [(str(index), "ab"[index % 2], "xy"[index % 2]) for index in range(12)]


@pytest.mark.parametrize(
    ("images", "split", "answer"),
    [
        (image_list(ENOUGH[:5]), SplitConfig(), "class b has 2 images, too few to split into 3 parts"),
        (image_list(ENOUGH), SplitConfig(method="sources", source="w"), "split.source=w is not a source of these images: choose"),
        (image_list(ENOUGH, source=""), SplitConfig(method="sources", source="x"), "none is known"),
        (image_list(ENOUGH), SplitConfig(name="column", method="column"), "and 12 images have none"),
    ],
)
def test_impossible_split_is_refused(images: ImageList, split: SplitConfig, answer: str) -> None:
    with pytest.raises(UserError, match=re.escape(answer)):
        check_split(images, split)
    check_split(image_list(ENOUGH[:5]), SplitConfig(test=0))  # two parts need two images of each class


def test_column_of_the_users_own_decides() -> None:
    images = frame([("1", "a", ""), ("2", "a", ""), ("3", "b", "")]).assign(split=["Training", "valid ", "TEST"])
    assert list(assign_parts(images, SplitConfig(method="column"))) == ["train", "val", "test"]
    with pytest.raises(UserError, match="holds 'exam': it may hold train, val or test"):
        assign_parts(images.assign(split="exam"), SplitConfig(method="column"))


def test_validation_part_that_the_data_lacks_is_drawn_from_train_by_group() -> None:
    rows = [(str(index // 2), "ab"[index // 2 % 2], "") for index in range(400)]
    images = frame(rows).assign(split=["test" if index < 80 else "train" for index in range(400)])
    parts = assign_parts(images, SplitConfig(method="column"))
    assert ((parts == "test") == (images["split"] == "test")).all()
    assert (parts == "val").mean() == pytest.approx(0.15, abs=0.02)
    assert pd.Series(parts).groupby(images["group"]).nunique().max() == 1
    assert set(images["label"][parts == "val"]) == {"a", "b"}
    (note,) = split_note(SplitConfig(method="column"), image_list(ENOUGH, split=["train", "test"] * 6))
    assert note == "No part of the data validates: 15% of the images do, drawn from train by group"
    assert split_note(SplitConfig(method="column"), image_list(ENOUGH, split=["train", "val"] * 6)) == []
    (note,) = split_note(SplitConfig(name="kfold", method="folds"), image_list(ENOUGH, split=["train", "val"] * 6))
    assert "are not used, since split=kfold was chosen" in note


@pytest.mark.parametrize(
    ("parts", "name"), [("", "three_way"), ("train", "column"), (["train", "test"] * 6, "column"), ("fold 1", "column")]
)
def test_auto_is_the_split_that_the_data_brings_or_three_way(parts: str, name: str) -> None:
    images = image_list(ENOUGH, split=parts)
    split = split_for(SplitConfig(name="auto", method="auto"), images)
    assert split.name == name
    assert split_for(SplitConfig(method="folds"), images) == SplitConfig(method="folds")
    if parts == "fold 1":
        with pytest.raises(UserError, match="holds 'fold 1': it may hold train, val or test"):
            check_split(images, split)
    else:
        check_split(images, split)


def test_parts_of_some_images_alone_are_rejected() -> None:
    with pytest.raises(UserError, match=r"6 images of 12 have no part of the split, for example 1.png: .* split=three_way"):
        split_for(SplitConfig(method="auto"), image_list(ENOUGH, split=["train", ""] * 6))
    with pytest.raises(UserError, match="brings the parts test, val, and none to train on"):
        check_split(image_list(ENOUGH, split=["val", "test"] * 6), SplitConfig(method="column"))
