"""The layout of a folder of images: what each level of its folders means. Found by names and counts alone."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cxr.data.parts import part_of
from cxr.errors import UserError
from cxr.text import listed, pluralize

Folders = tuple[str, ...]  # the names of the folders above an image, below the root

_FEW = 20  # images of one patient, at most
_MOST_CLASSES = 20  # that are numbered
# What folders of findings are called; a name that holds one of these words is that of a class.
_FINDINGS = re.compile(
    r"normal|healthy|negative|positive|finding|covid|pneumon|tubercul|\btb\b|opacit|effusion|edema|oedema|atelect|cardiomeg|nodul|mass\b"
    r"|pneumothor|consolid|fibros|emphysem|hernia|infiltr|viral|virus|bacteri|sars|influenza|cancer|abnormal|disease|sick|\bill\b",
    re.IGNORECASE,
)
_PLACES = re.compile(r"hospital|clinic|site|cent(er|re)|source|institut|scanner|dataset|collection|university", re.IGNORECASE)
_VIEWS = re.compile(r"^(pa|ap|frontal|lateral|lat|ll|supine|upright)$", re.IGNORECASE)
_NO_CLASSES = re.compile(
    r"^(images?|img|patients?|pat|pid|stud(y|ies)|series|batch|chunk|fold|subset|archive|view)?$", re.IGNORECASE
)


@dataclass(frozen=True)
class Layout:
    """The meaning of each level of folders: part, class, source, patient, or * for none. Deeper levels have none."""

    levels: tuple[str, ...]

    def column(self, role: str, folders: Sequence[Folders]) -> list[str]:
        """The folder that has this role for each image; "" for an image without one."""
        if role not in self.levels:
            return [""] * len(folders)
        level = self.levels.index(role)
        return [names[level] if len(names) > level else "" for names in folders]

    def __str__(self) -> str:
        return "/".join(self.levels)


def layout_of(folders: Sequence[Folders], where: str, known: Callable[[Collection[str]], float] | None = None) -> Layout:
    """The layout of images below at least one folder each.

    Args:
        folders: of each image.
        where: the folder's name in messages.
        known: gives the share of the chosen classes that are among names; None where none are chosen.

    Raises:
        UserError: the folders have two readings, or none with classes.
    """
    score = known or (lambda names: _share(names, _FINDINGS) - _share(names, _PLACES))
    outer = around(folders)
    levels = _levels([names[outer:] for names in folders])
    roles = [_kind(level) for level in levels]
    if "part?" in roles:
        level = levels[roles.index("part?")]
        others = sorted(name for name in level.counts if part_of(name) is None)
        parts = sorted(set(level.counts) - set(others))
        raise UserError(
            f"{where} has {listed(others)} beside the parts {listed(parts)}: give the folder of the parts as data.root, or say "
            "what folders mean, as data.layout=class"
        )
    named = [place for place, role in enumerate(roles) if role == "named"]
    if not named and "numbered" not in roles and (alone := _only_class(folders)) is not None:
        return Layout((*(("*",) * outer + tuple(roles))[:alone], "class"))
    if not named:
        _name_numbered(levels, roles, where)
    else:
        _name(levels, roles, named, score, where)
    end = max(place for place, role in enumerate(roles) if role != "*") + 1
    return Layout(("*",) * outer + tuple(roles[:end]))


@dataclass(frozen=True)
class _Level:
    """The folders of one level: the images below each name, and the names below which each lies."""

    counts: dict[str, int]
    above: dict[str, set[Folders]]

    @property
    def is_nested(self) -> bool:
        """Whether hardly any name occurs below two others."""
        return float(np.mean([len(parents) > 1 for parents in self.above.values()])) < 0.2

    @property
    def is_numbered(self) -> bool:
        """Whether names differ in numbers alone, as those of patients and batches do."""
        with_digits = [name for name in self.counts if any(character.isdigit() for character in name)]
        stems = {_stem(name) for name in with_digits}
        return len(with_digits) >= 0.8 * len(self.counts) and len(self.counts) > 1 and len(stems) <= max(1, len(self.counts) // 5)

    @property
    def is_of_patients(self) -> bool:
        """Whether its folders hold as few images as a patient has."""
        folders = sum(len(parents) for parents in self.above.values())
        return sum(self.counts.values()) / folders <= _FEW


def _share(names: Collection[str], pattern: re.Pattern[str]) -> float:
    """The share of names that hold a word."""
    return float(np.mean([bool(pattern.search(name.replace("_", " "))) for name in names]))


def _stem(name: str) -> str:
    """A name without what numbers it: digits, and hexadecimal numbers of four digits or more.

    >>> _stem("patient00012"), _stem("3f2a9c0b-77aa"), _stem("Case 7")
    ('patient', '', 'case')
    """
    name = re.sub(r"\b(?=[a-f]*\d)[0-9a-f]{4,}\b", "", name.lower())
    return re.sub(r"[\W_\d]+", "", name)


def around(folders: Sequence[Folders]) -> int:
    """How many folders lie around all images, with others in them."""
    depth = 0
    while folders and all(len(names) > depth + 1 for names in folders) and len({names[depth] for names in folders}) == 1:
        depth += 1
    return depth


def _only_class(folders: Sequence[Folders]) -> int | None:
    """The level of the one folder that holds all images, or all of each part, and is named as a finding."""
    levels = range(min(map(len, folders)))
    return next((at for at in levels if len({names[at] for names in folders}) == 1 and _share([folders[0][at]], _FINDINGS)), None)


def _levels(folders: Sequence[Folders]) -> list[_Level]:
    levels = []
    for depth in range(max(map(len, folders))):
        counts, above = dict[str, int](), dict[str, set[Folders]]()
        for names in folders:
            if len(names) > depth:
                counts[names[depth]] = counts.get(names[depth], 0) + 1
                above.setdefault(names[depth], set()).add(names[:depth])
        levels.append(_Level(counts, above))
    whole = len(folders)
    return [level for place, level in enumerate(levels) if not place or sum(level.counts.values()) > whole / 2]


def _kind(level: _Level) -> str:
    """part, part? for parts among others, * for folders that say nothing, numbered or named."""
    parts = [name for name in level.counts if part_of(name)]
    if parts and len(level.counts) > 1:
        return "part" if len(parts) == len(level.counts) else "part?"
    if len(level.counts) == 1 or _share(level.counts, _VIEWS) == 1:
        return "*"
    return "numbered" if level.is_numbered else "named"


def _name_numbered(levels: list[_Level], roles: list[str], where: str) -> None:
    """Replace "numbered" where no folder has a name of its own: 0 and 1 may be classes, images_001 and patient7 are not."""
    numbered = [place for place, role in enumerate(roles) if role == "numbered"]
    if not numbered:
        has = listed(sorted(name for level in levels for name in level.counts))
        raise UserError(
            f"{where} holds {has}, and no two folders of classes: make one folder for each class, or give the labels in a table, "
            "data=manifest data.manifest=FILE"
        )
    level = levels[numbered[0]]
    stems = {_stem(name) for name in level.counts}
    if any(_NO_CLASSES.match(stem) and stem for stem in stems) or len(level.counts) > _MOST_CLASSES:
        numbers = f"{pluralize(len(level.counts), 'numbered folder')} ({listed(sorted(level.counts))})"
        raise UserError(
            f"{where} has {numbers}, which are no classes: "
            "give the labels in a table, data=manifest data.manifest=FILE, or say what folders mean, as data.layout=class"
        )
    roles[:] = ["class" if place == numbered[0] else _deeper(levels[place], roles[place]) for place in range(len(roles))]


def _name(levels: list[_Level], roles: list[str], named: list[int], score: Callable[[Collection[str]], float], where: str) -> None:
    """Replace "named" and "numbered" by what they mean: the class, its source, its patients."""
    first, *more = named
    of_class = _class_level(levels, first, more[0], score, where) if more else first
    for place, role in enumerate(roles):
        level = levels[place]
        is_place = place == first or (role == "named" and not level.is_nested) or _share(level.counts, _PLACES) > 0.5
        if place == of_class:
            roles[place] = "class"
        elif role in ("named", "numbered"):
            roles[place] = "source" if is_place and "source" not in roles else _deeper(level, role)


def _class_level(levels: list[_Level], upper: int, lower: int, score: Callable[[Collection[str]], float], where: str) -> int:
    """Which of two levels with names is that of the classes. Raises `UserError` where names do not say it."""
    above, below = score(levels[upper].counts), score(levels[lower].counts)
    nested = levels[lower].is_nested
    if above > below and above > 0.3:
        return upper
    if below > above and below > 0.3 and not nested:
        return lower
    if nested and below <= 0 and (above >= below or levels[lower].is_of_patients):
        return upper
    names = [listed(sorted(levels[place].counts)) for place in (upper, lower)]
    first, second = ("*/class", "class") if nested else ("source/class", "class/source")
    raise UserError(
        f"{where} can be read in two ways: classes {names[1]} (data.layout={first}), or classes {names[0]} (data.layout={second}): "
        "choose one"
    )


def _deeper(level: _Level, role: str) -> str:
    if role in ("part", "*"):
        return role
    return "patient" if level.is_of_patients and (role == "numbered" or level.is_nested) else "*"
