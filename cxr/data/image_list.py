"""The image list: images by name and label, before any is opened."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.images.image_file import BadImage
from cxr.errors import UserError
from cxr.text import nearest, slug

COLUMNS = ("path", "label", "source", "group", "split", "sha256")


@dataclass(frozen=True)
class ImageList:
    """The images of a data set, sorted by path, each once.

    `images` has `COLUMNS`, and the columns `data.columns.more` of a table, all text, "" if unknown.

    Paths are relative to `root`, with forward slashes. `split` and `group` are the user's own words; `sha256` is the hash of
    pixels that a manifest of cxr's expects. `bad` are files whose names no table can hold. `reading` says how a folder or a table
    was read where that was found by looking, and `left_out` counts files by the reason why they are not listed.
    """

    root: Path
    classes: tuple[str, ...]
    images: pd.DataFrame
    bad: tuple[BadImage, ...] = ()
    reading: str = ""
    left_out: dict[str, int] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Lines on how the images were listed, and on what was left out."""
        reasons = [f"{count:,} {reason}" for reason, count in sorted(self.left_out.items()) if count]
        return [*([self.reading] if self.reading else []), *([f"Files left out: {', '.join(reasons)}"] if reasons else [])]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all images."""
        return tuple(self.images["path"])

    def class_counts(self) -> dict[str, int]:
        """Number of images of each class."""
        return {name: int((self.images["label"] == name).sum()) for name in self.classes}

    def keeping(self, values: dict[str, list[str]]) -> "ImageList":
        """The images that have one of the values of each column.

        Raises:
            UserError: A column or value is unknown, or a class has no image left.
        """
        images = self.images
        for column, wanted in values.items():
            if column not in self.images.columns:
                known = [name for name in self.images.columns if name not in ("path", "sha256")]
                raise UserError(f"data.keep.{column} is no column of these images: {nearest(column, known)}")
            if unknown := sorted(set(wanted) - set(self.images[column])):
                known = sorted(set(self.images[column]))
                raise UserError(f"data.keep.{column} keeps {unknown[0]}, which no image has: {nearest(unknown[0], known)}")
            images = images[images[column].isin(wanted)]
        if absent := [name for name in self.classes if name not in set(images["label"])]:
            raise UserError(
                f"data.keep leaves no image of {', '.join(absent)}: keep more, or name the other classes in data.classes"
            )
        return replace(self, images=images.reset_index(drop=True))


# Characters that a table, a log or a terminal can't hold safely; the last are bytes that are no text at all.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def image_list_of(root: Path, classes: tuple[str, ...], images: pd.DataFrame, bad: Sequence[BadImage] = ()) -> ImageList:
    """An image list of rows in any order.

    Args:
        images: columns of `COLUMNS` and others; missing ones are unknown.

    Raises:
        UserError: There is one class, or two have one name but for case and punctuation.
    """
    known = {name: images[name].astype(object).where(images[name].notna(), "").astype(str) for name in images.columns}
    rows = pd.DataFrame({name: known.get(name, "") for name in dict.fromkeys([*COLUMNS, *known])}, index=images.index)
    rows = rows.sort_values("path", kind="stable", ignore_index=True)
    slugs = [slug(name) for name in classes]
    if len(set(slugs)) < len(slugs):
        raise UserError(
            f"classes {', '.join(classes)} differ only in case or punctuation: rename one, so that each metric has its own name"
        )
    return ImageList(root, classes, rows, tuple(bad))


def has_clear_label(path: str) -> bool:
    r"""Whether a path is text in one line.

    >>> has_clear_label("COVID/images/1.png"), has_clear_label("two\nlines.png")
    (True, False)
    """
    return not _UNSAFE.search(path)


def counted_as(data: DataConfig, present: Sequence[str]) -> dict[str, str]:
    """The class that each class of the data counts as, in the order of `data.classes`, or of the names that come out of it.

    `present` are the classes that the data has. A class that others are counted as stays one of its own parts.

    Raises:
        UserError: A merge makes no sense.

    >>> counted_as(DataConfig(classes=["COVID", "pneumonia"], merge={"pneumonia": ["Viral", "Opacity"]}), ["COVID", "Viral"])
    {'COVID': 'COVID', 'Viral': 'pneumonia', 'Opacity': 'pneumonia'}
    >>> counted_as(DataConfig(merge={"Viral": ["Opacity"]}), ["Normal", "Opacity", "Viral"])
    {'Normal': 'Normal', 'Opacity': 'Viral', 'Viral': 'Viral'}
    """
    merged = _merged(data)
    if data.classes is None:
        if unknown := sorted(set(merged) - set(present)):
            name, whole = unknown[0], merged[unknown[0]]
            raise UserError(f"data.merge counts {name} as {whole}, and there is no such class: {nearest(name, present)}")
        names = {name: merged.get(name, name) for name in present}
        return dict(sorted(names.items(), key=lambda item: item[::-1]))
    chosen: dict[str, str] = {}
    for name in data.classes:
        whole = merged.get(name, name)
        own = [whole] if whole not in data.merge or spelling(whole, data, present) else []
        for part in dict.fromkeys([*own, *data.merge.get(whole, [whole])]):
            chosen[part] = whole
    if unused := sorted(set(data.merge) - set(chosen.values())):
        raise UserError(f"data.merge makes {unused[0]} of classes that are not in data.classes: {nearest(unused[0], data.classes)}")
    return chosen


def spelling(name: str, data: DataConfig, present: Sequence[str]) -> str | None:
    """The spelling of a class in the data: case, spaces and punctuation do not matter, and aliases count."""
    by_name = {_loose(label): label for label in present}
    return next((by_name[key] for key in map(_loose, (name, *data.aliases.get(name, []))) if key in by_name), None)


def _loose(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower()) or name


def _merged(data: DataConfig) -> dict[str, str]:
    """The merged class of each class that is part of one; raises `UserError` for a class that is part of two."""
    wholes: dict[str, str] = {}
    for whole, parts in data.merge.items():
        for part in parts:
            if wholes.setdefault(part, whole) != whole:
                raise UserError(f"data.merge counts {part} as {wholes[part]} and as {whole}: leave it in one of them")
    return wholes
