"""Splits: stratified, deterministic, and blind to the order of files."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cxr.config import SplitConfig
from cxr.data.split import assign_parts

IMAGES = st.lists(st.tuples(st.integers(0, 200).map(str), st.integers(0, 3)), min_size=1, max_size=120)


def split_of(images: list[tuple[str, int]], config: SplitConfig) -> list[tuple[str, int, str]]:
    groups, labels = [group for group, _ in images], [label for _, label in images]
    return [(*image, part) for image, part in zip(images, assign_parts(groups, labels, config), strict=True)]


@given(images=IMAGES, seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(images: list[tuple[str, int]], seed: int, shuffle: random.Random) -> None:
    config = SplitConfig(seed=seed)
    reordered = images.copy()
    shuffle.shuffle(reordered)
    assert sorted(split_of(images, config)) == sorted(split_of(reordered, config))


@given(images=IMAGES)
def test_a_group_is_never_split(images: list[tuple[str, int]]) -> None:
    parts: dict[tuple[str, int], set[str]] = {}
    for group, label, part in split_of(images, SplitConfig()):
        parts.setdefault((group, label), set()).add(part)
    assert all(len(found) == 1 for found in parts.values())


@given(count=st.integers(3, 300), validation=st.floats(0.05, 0.4), test=st.one_of(st.just(0.0), st.floats(0.05, 0.4)))
def test_each_class_is_split_at_its_fractions(count: int, validation: float, test: float) -> None:
    images = [(f"{label}-{index}", label) for label in (0, 1) for index in range(count)]
    config = SplitConfig(validation=validation, test=test)
    sizes = Counter((label, part) for _, label, part in split_of(images, config))
    for label in (0, 1):
        assert sizes[label, "val"] == max(1, round(validation * count))
        assert sizes[label, "test"] == (max(1, round(test * count)) if test else 0)


def test_the_seed_matters_and_new_images_move_few_old_ones() -> None:
    images = [(str(index), 0) for index in range(400)]
    first = dict.fromkeys(split_of(images, SplitConfig()))
    assert split_of(images, SplitConfig(seed=1)) != list(first)
    grown = set(split_of([*images, *((f"new-{index}", 0) for index in range(40))], SplitConfig()))
    assert sum(image not in grown for image in first) < 40  # a fresh shuffle would move some 190
