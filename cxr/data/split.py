"""The split into train, validation and test parts: by group and class, from hashes, independent of file order."""

import hashlib
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.config.schema import SplitConfig
from cxr.data.image_list import ImageList
from cxr.data.parts import PARTS, Part, part_of
from cxr.errors import UserError
from cxr.text import nearest, pluralize

# The largest deviation of a part from its share, before groups are moved from one part to another.
# So an image that joins later moves no other, as long as shares stay within it.
_SLACK = 0.015


def split_for(split: SplitConfig, image_list: ImageList) -> SplitConfig:
    """The split, where it is `auto` that of the parts which the images bring, or else three_way.

    Raises:
        UserError: Only some images bring a part.
    """
    if split.method != "auto":
        return split
    has_part = image_list.images["split"] != ""
    if has_part.any() and not has_part.all():
        raise UserError(
            f"{pluralize(int((~has_part).sum()), 'image')} of {len(has_part):,} have no part of the split, for example "
            f"{image_list.images['path'][~has_part].iloc[0]}: give them one, or split all again with split=three_way"
        )
    name, method = ("column", "column") if has_part.any() else ("three_way", "fractions")
    return replace(split, name=name, method=method)


def split_note(split: SplitConfig, image_list: ImageList) -> list[str]:
    """A line where the data's own parts are not used, or lack one that is drawn."""
    split = split_for(split, image_list)
    parts = set(image_list.images["split"]) - {""}
    if split.method != "column":
        return [f"The parts that the data brings are not used, since split={split.name} was chosen"] if parts else []
    if "val" in {part_of(name) for name in parts}:
        return []
    return [f"No part of the data validates: {split.validation:.0%} of the images do, drawn from train by group"]


def part_names(split: SplitConfig) -> tuple[Part, ...]:
    """The parts in which each class has to have an image; a source, or the data's own parts, may test on fewer classes."""
    tests = split.method == "folds" or (split.method == "fractions" and split.test > 0)
    return PARTS if tests else PARTS[:2]


def check_split(image_list: ImageList, split: SplitConfig) -> None:
    """Raise `UserError` if these images can't be split in this way, before any image is read."""
    has_part, sources = image_list.images["split"] != "", sorted(set(image_list.images["source"]) - {""})
    if split.method == "column" and not has_part.all():
        raise UserError(
            f"split={split.name} needs the part of each image, and {pluralize(int((~has_part).sum()), 'image')} have none: give "
            "data.manifest a column that holds train, val or test (data.columns.split names it), or choose split=three_way"
        )
    if split.method == "column":
        _own_parts(image_list.images["split"])
    if split.method == "sources" and split.source not in sources:
        hint = nearest(str(split.source), sources) if sources else "none is known; a column of data.manifest may name them"
        raise UserError(f"split.source={split.source} is not a source of these images: {hint}")
    parts = part_names(split)
    for name, count in image_list.class_counts().items():
        if count < len(parts):
            raise UserError(
                f"class {name} has {pluralize(count, 'image')}, too few to split into {len(parts)} parts: "
                "add images, leave it out with data.classes, or choose split=train_val_80_20"
            )


def split_images(images: pd.DataFrame, classes: tuple[str, ...], split: SplitConfig) -> pd.DataFrame:
    """Give each image its part.

    Args:
        images: columns as for `assign_parts`, and path.

    Returns:
        The same rows with their part as split.

    Raises:
        UserError: A class has no image left for one of the parts, or a group would be torn apart.
    """
    if images.empty:
        raise UserError("no image is left to train on: cxr data check lists the problems")
    images = images.assign(split=assign_parts(images, split))
    check_groups(images)
    present = set(zip(images["label"], images["split"], strict=True))
    for name, part in product(classes, part_names(split)):
        if (name, part) not in present:
            raise UserError(
                f"class {name} has no image left for the {part} part of the split: add images or leave it out with data.classes"
            )
    return images


def assign_parts(images: pd.DataFrame, split: SplitConfig) -> NDArray[np.str_]:
    """Give each image a part, (n,), or "" for excluded images; images of one group share a part.

    A group counts for the class of most of its images.

    Args:
        images: columns label, group, source and split, the last with the data's own part where the method is `column`.

    Raises:
        UserError: A part is unknown.
    """
    groups = _Groups(images)
    if split.method == "column":
        return _from_own_parts(images, groups, split)
    if split.method == "sources":
        return _by_source(images, groups, split)
    if split.method == "folds":
        tested = groups.between(f"{split.seed}:fold", split.fold / split.folds, (split.fold + 1) / split.folds)
        share = 1 / split.folds
    else:
        tested = groups.between(f"{split.seed}:test", 0, split.test, some=split.test > 0)
        share = split.test
    validated = groups.between(f"{split.seed}:val", 0, split.validation / (1 - share), among=~tested, some=True)
    parts = np.select([tested, validated], ["test", "val"], "train")
    return np.asarray(parts[groups.of_image])


class _Groups:
    """The groups of a set of images, each with its number of images and the class of most of them."""

    def __init__(self, images: pd.DataFrame) -> None:
        self.of_image, names = pd.factorize(images["group"], sort=True)
        self.names = list(names)
        self.sizes = np.bincount(self.of_image)
        of_class, classes = pd.factorize(images["label"], sort=True)
        counts = np.bincount(self.of_image * len(classes) + of_class, minlength=len(self.names) * len(classes))
        self.label = counts.reshape(-1, len(classes)).argmax(axis=1)  # the first in the alphabet where two are equal

    def between(
        self, salt: str, low: float, high: float, among: NDArray[np.bool_] | None = None, some: bool = False
    ) -> NDArray[np.bool_]:
        """Groups of each class whose hash lies in [low, high) of its range, so that their share of the images is about that.

        With `some` at least one of each class, where there is one to spare.
        """
        draws = np.array([_draw(f"{salt}:{name}") for name in self.names])
        chosen = np.zeros(len(self.names), bool)
        for label in np.unique(self.label):
            members = np.flatnonzero((self.label == label) & (True if among is None else among))
            members = members[np.argsort(draws[members], kind="stable")]
            first, last = (_cut(draws[members], self.sizes[members], edge) for edge in (low, high))
            if some and first == last and len(members) > 1:
                last += 1
            chosen[members[first:last]] = True
        return chosen


def _by_source(images: pd.DataFrame, groups: _Groups, split: SplitConfig) -> NDArray[np.str_]:
    """One source is the test part; images of unknown source, and copies of test images in other sources, are excluded.

    Of classes that the source lacks, `split.test` of the images of other sources test too: on one class alone neither specificity
    nor AUC exists.
    """
    of_source = (images["source"] == split.source).to_numpy()
    tested = np.bincount(groups.of_image, weights=of_source) > 0
    lacking = ~np.isin(groups.label, pd.factorize(images["label"], sort=True)[0][of_source])
    completing = groups.between(f"{split.seed}:test", 0, split.test, among=~tested & lacking, some=split.test > 0)
    validated = groups.between(f"{split.seed}:val", 0, split.validation, among=~tested & ~completing, some=True)
    parts = np.select([tested | completing, validated], ["test", "val"], "train")[groups.of_image]
    unclear = (images["source"] == "").to_numpy() | (tested[groups.of_image] & ~of_source)
    return np.asarray(np.where(unclear, "", parts))


def _from_own_parts(images: pd.DataFrame, groups: _Groups, split: SplitConfig) -> NDArray[np.str_]:
    """The parts that the data brings; where none validates, a share of the groups that train does."""
    parts = _own_parts(images["split"])
    if "val" in parts:
        return parts
    trained = np.bincount(groups.of_image, weights=parts == "train") > 0
    share = split.validation / float((parts == "train").mean())
    validated = groups.between(f"{split.seed}:val", 0, min(share, 0.5), among=trained, some=True)
    return np.asarray(np.where((parts == "train") & validated[groups.of_image], "val", parts))


def check_groups(images: pd.DataFrame) -> None:
    """Raise `UserError` where images of one group lie in more than one part.

    Args:
        images: columns group, split and path.
    """
    parts = images[images["split"] != ""].groupby("group")["split"].nunique()
    torn = parts.index[parts > 1]
    if len(torn):
        paths = sorted(images.loc[images["group"] == torn[0], "path"])
        raise UserError(
            f"{pluralize(len(torn), 'group')} of images that belong together would be on two sides of the split, for example "
            f"{paths[0]} and {paths[-1]}: copies, near copies and images of one patient need the same part, as "
            "split=three_way gives them"
        )


def _cut(draws: NDArray[np.float64], sizes: NDArray[np.int64], edge: float) -> int:
    """How many of the groups, sorted by their draws, lie below an edge of [0, 1]; moved until their share is within the slack."""
    if edge <= 0 or edge >= 1:
        return 0 if edge <= 0 else len(draws)
    reached = np.concatenate([[0.0], np.cumsum(sizes) / max(1, sizes.sum())])
    within = np.flatnonzero(np.abs(reached - edge) <= _SLACK)
    if not len(within):
        return int(np.abs(reached - edge).argmin())
    return int(np.clip(np.searchsorted(draws, edge), within[0], within[-1]))


def _draw(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def _own_parts(column: pd.Series) -> NDArray[np.str_]:
    """The parts that the data brings, (n,). Raises `UserError` for one that is not known, and where none trains."""
    parts = {name: part_of(name) for name in sorted(set(column))}
    if unknown := [name for name, part in parts.items() if part is None]:
        raise UserError(
            f"the split column holds {unknown[0]!r}: it may hold train, val or test; split=three_way splits again without it"
        )
    if "train" not in parts.values():
        raise UserError(f"the data brings the parts {', '.join(parts)}, and none to train on: split again with split=three_way")
    return np.asarray(column.map(parts), str)
