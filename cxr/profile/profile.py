"""The profile of a set of images, as data: counts, copies, unusual and unreadable files, and the traits that predict the class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cxr.audit.subject import read_subject
from cxr.cache.rows import Rows
from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.data.dataset import dataset_of, read_listed
from cxr.data.identity.annotate import annotate
from cxr.data.identity.groups import copies, of_several
from cxr.data.images.image_file import BadImage
from cxr.data.images.perceptual import PerceptualHashes
from cxr.data.images.properties import PROPERTIES
from cxr.data.images.store import ImagePixels
from cxr.data.manifest import data_fingerprint, more_columns
from cxr.data.parts import PARTS
from cxr.data.source_shortcut import source_shortcut
from cxr.data.sources.locate import locate_images
from cxr.data.split import split_for, split_note
from cxr.errors import UserError
from cxr.profile.categories import categories
from cxr.profile.files import DICOM_TAGS, file_traits
from cxr.profile.traits import ProfiledTraits, profiled_traits, sample
from cxr.profile.unusual import UnusualImage, measured, unusual_images
from cxr.progress import Stage
from cxr.text import pluralize

_MEASURED = 1000  # images whose traits are measured, where an audit would not look at more
_UNUSUAL, _SETS, _OF_SET = 12, 6, 4  # images, sets of copies, images of a set
_CELLS, _OF_CELL = 24, 8  # classes of a source on the contact sheet, images of one


@dataclass(frozen=True)
class Counts:
    """Images by a value (rows) and class (columns)."""

    title: str
    table: pd.DataFrame


@dataclass(frozen=True)
class RowsShown:
    """Rows of the manifest whose images are shown side by side."""

    title: str
    rows: Sequence[int]


@dataclass(frozen=True)
class Profile:
    """A set of images; row i of `images` is row i of `manifest`."""

    root: Path
    classes: tuple[str, ...]
    manifest: pd.DataFrame
    images: Rows  # (n, size, size, 1) uint8
    fingerprint: str  # of the images of a run with the same options
    traits: ProfiledTraits
    traits_of: NDArray[np.int64]  # rows whose traits were measured
    masks_from: str
    counts: Sequence[Counts]
    no_split: str  # the reason where the images can't be split
    notes: Sequence[str]  # on layout, groups and sources
    levels: Mapping[str, NDArray[np.float64]]  # by class: shares of pixels in bins of grey levels from black to white
    properties: pd.DataFrame  # their mean (columns) by class (rows)
    copies: Sequence[RowsShown]
    sets_of_copies: int
    unusual: Sequence[UnusualImage]
    bad: Sequence[BadImage]
    contact_sheet: Sequence[RowsShown]


def profile_of(config: Config, stage: Stage, cache: Cache | None) -> Profile:
    """Read every image of a config and profile it; unreadable ones are listed.

    Raises:
        UserError: No image can be read.
    """
    config = replace(config, data=replace(config.data, on_bad_image="skip"))
    image_list = locate_images(config.data, stage)
    pixels = read_listed(image_list, config.backbone.image_size, stage, cache, grey=config.data.grey)
    if not pixels.paths:
        raise UserError(f"no image in {image_list.root} can be read: cxr data check lists the reasons")
    annotated = annotate(image_list, pixels, config.data.dicom_patients)
    try:
        dataset = dataset_of(replace(config, split=split_for(config.split, image_list)), image_list, pixels)
        parts, no_split = dataset.manifest.set_index("path")["split"], ""
        fingerprint, about_split = data_fingerprint(dataset.manifest), split_note(config.split, image_list)
    except UserError as error:
        parts, no_split = pd.Series(dtype=object), str(error)
        fingerprint, about_split = data_fingerprint(annotated.images), []
    with stage("files", "Looking at files and grey levels"):
        files = file_traits(image_list.root, pixels.paths)
        measures, levels = measured(pixels.images)
    columns = [name for name in more_columns(annotated.images) if name != "mask"]
    tags = [name for name in DICOM_TAGS.values() if (files[name] != "").any() and name not in columns]
    manifest = annotated.images.assign(
        split=annotated.images["path"].map(parts).fillna("left out"), **files.drop(columns=columns, errors="ignore")
    )
    rows = sample(manifest, max(_MEASURED, config.audit.images))
    with (
        stage("traits", f"Predicting the class of {pluralize(len(rows), 'image')} from traits without lungs"),
        threadpool_limits(1),
    ):
        chosen = manifest.iloc[rows].reset_index(drop=True)
        everywhere = np.ones(len(rows), bool)
        subject = read_subject(
            config.data, image_list.root, image_list.classes, np.asarray(pixels.images[rows]), chosen, everywhere
        )
        traits = profiled_traits(subject, [*columns, *tags])
    of_class = {name: (manifest["label"] == name).to_numpy() for name in image_list.classes if (manifest["label"] == name).any()}
    shown, sets = _copies(pixels, manifest)
    return Profile(
        root=image_list.root,
        classes=image_list.classes,
        manifest=manifest,
        images=pixels.images,
        fingerprint=fingerprint,
        traits=traits,
        traits_of=rows,
        masks_from=subject.masks_from,
        counts=_counts(manifest, [*columns, *tags], bool(no_split)),
        no_split=no_split,
        notes=[*image_list.notes(), *about_split, *_notes(manifest, annotated.identity.patients, len(annotated.conflicts))],
        levels={name: levels[rows].sum(axis=0) / levels[rows].sum() for name, rows in of_class.items()},
        properties=measures[list(PROPERTIES)].groupby(manifest["label"]).mean(),
        copies=shown,
        sets_of_copies=sets,
        unusual=unusual_images(manifest, measures, _UNUSUAL),
        bad=pixels.bad,
        contact_sheet=_contact_sheet(manifest),
    )


def _counts(manifest: pd.DataFrame, columns: Sequence[str], without_parts: bool) -> list[Counts]:
    """Tables of images by class: parts, sources, sizes, modes, formats, and each of the columns; none of unknown values alone."""
    of_files = {
        "Source": manifest["source"],
        "Width x height": manifest["width"].astype(str) + " x " + manifest["height"].astype(str),
        "Depth and colours": manifest["mode"],
        "Format": manifest["file format"],
    }
    parts = pd.Series(pd.Categorical(manifest["split"], [*PARTS, "left out"]), manifest.index)
    values: dict[str, pd.Series] = {
        **({} if without_parts else {"Part of the split": parts}),
        **{title: categories(column, least=1) for title, column in of_files.items() if (column != "").any()},
        **{name[:1].upper() + name[1:]: categories(manifest[name]) for name in columns},
    }
    tables = {title: pd.crosstab(column, manifest["label"]) for title, column in values.items()}
    return [Counts(title, table.assign(all=table.sum(axis=1))) for title, table in tables.items()]


def _notes(manifest: pd.DataFrame, of_patients: int, conflicts: int) -> list[str]:
    groups, several = manifest["group"].nunique(), of_several(manifest["group"])
    largest = f"; the largest has {several.max():,}" if len(several) else ""
    known = f"the patient of {pluralize(of_patients, 'image')} is known" if of_patients else "no patient is known"
    shortcut = source_shortcut(manifest["label"], manifest["source"])
    lines = [
        f"Groups (copies and images of one patient): {groups:,}, of which {len(several):,} have several images{largest}; {known}",
        shortcut.text if shortcut else "Sources: not known, so a disease can't be distinguished from a source",
    ]
    return [*lines, *([f"{pluralize(conflicts, 'image')} have a copy with another label"] if conflicts else [])]


def _copies(pixels: ImagePixels, manifest: pd.DataFrame) -> tuple[list[RowsShown], int]:
    """The first images of the largest sets of copies, and the number of all sets."""
    perceptual = PerceptualHashes.of([fact.perceptual for fact in pixels.facts])
    of_set = pd.Series(copies([fact.sha256 for fact in pixels.facts], perceptual))
    several = of_several(of_set).sort_index().sort_values(ascending=False, kind="stable")
    shown = []
    for number, count in several.head(_SETS).items():
        members = manifest[(of_set == number).to_numpy()]
        kind = "equal to the pixel" if members["sha256"].nunique() == 1 else "near copies"
        labels = ", ".join(sorted(set(members["label"])))
        shown.append(RowsShown(f"{pluralize(int(count), 'image')}, {kind}: {labels}", list(members.index[:_OF_SET])))
    return shown, len(several)


def _contact_sheet(manifest: pd.DataFrame) -> list[RowsShown]:
    """Images of each class of each source; which ones depends on their pixels alone."""
    cells = manifest.groupby(["label", "source"], sort=True)
    largest = cells.size().sort_values(ascending=False, kind="stable").index[:_CELLS]
    shown = []
    for (label, source), rows in cells:
        if (label, source) in largest:
            chosen = rows.sort_values(["sha256", "path"]).head(_OF_CELL).index
            name = f"{label}, {source}" if source else str(label)
            shown.append(RowsShown(f"{name}: {len(chosen)} of {len(rows):,}", list(chosen)))
    return shown
