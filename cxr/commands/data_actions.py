"""The actions of `cxr data`: index, check and show."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from cxr.commands.output import check_files, print_table
from cxr.config.schema import Config, DataConfig
from cxr.data.contact_sheet import is_contact_sheet, write_contact_sheet
from cxr.data.dataset import Dataset, dataset_of, read_listed
from cxr.data.identity.annotate import altered, annotate
from cxr.data.identity.groups import of_several
from cxr.data.image_list import ImageList
from cxr.data.images.hash_cache import HashCache
from cxr.data.images.store import ImagePixels
from cxr.data.manifest import changes, read_manifest, summary, write_manifest
from cxr.data.source_shortcut import source_shortcut
from cxr.data.sources.locate import is_among_images, locate_images
from cxr.data.split import check_split, split_for, split_images, split_note
from cxr.errors import UserError
from cxr.evaluation.metrics import metric_names
from cxr.progress import Progress, wide_console
from cxr.run.prepared import cache_of
from cxr.text import as_called, in_shell, pluralize
from cxr.tracking.limits import check_metric_names

_MOST = 12  # rows of a table, or kinds in a line


def index(config: Config, to: Path) -> None:
    """Write the manifest, and print a summary and what changed since the last one.

    Raises:
        UserError: `to` lists other images.
    """
    check_output(to, config.data)
    before = _manifest_to_replace(to)
    dataset, image_list = _dataset(config)
    if before is not None and (left := before["path"].isin(dataset.manifest["path"]).sum()) < len(before) / 2:
        raise UserError(
            f"{to} lists other images, only {left:,} of its {len(before):,} are here: choose another file with --to FILE"
        )
    _print_survey(dataset)
    for note in [*image_list.notes(), *split_note(config.split, image_list)]:
        print(f"  {note}")
    write_manifest(dataset.manifest, to)
    changed = "" if before is None else f"; since it was written last: {changes(before, dataset.manifest) or 'nothing changed'}"
    print(f"  Written to {to}{changed}")
    command = in_shell("cxr", "data=manifest", f"data.manifest={to}", f"data.root={image_list.root}")
    print(as_called(f"  Train on exactly these with  {command}"))


def show(config: Config, to: Path, most: int) -> None:
    """Draw up to `most` images of each class side by side.

    Raises:
        UserError: `to` is no PNG file, or one that is there and no contact sheet of cxr.
    """
    if to.suffix.lower() != ".png":
        raise UserError(f"--to {to} is no PNG file: give a name that ends in .png")
    if to.exists() and not (to.is_file() and is_contact_sheet(to)):
        raise UserError(f"{to} exists and is no contact sheet that cxr drew: choose another file with --to FILE")
    check_output(to, config.data)
    dataset, image_list = _dataset(config)
    write_contact_sheet(dataset.manifest, image_list.root, most, to)
    print(f"  {to}: {pluralize(len(dataset.classes), 'class', 'classes')}, up to {pluralize(most, 'image')} of each")


def check(config: Config) -> int:
    """Read every file and print all problems. Return 1 if there are any, else 0."""
    progress = Progress()
    image_list = locate_images(replace(config.data, on_bad_image="skip"), progress.stage)
    pixels = read_listed(image_list, None, progress.stage, cache_of(config, progress), grey=config.data.grey)
    config = replace(config, split=split_for(config.split, image_list))
    annotated = annotate(image_list, pixels, config.data.dicom_patients)
    _print_listed(image_list, split_note(config.split, image_list))
    conflicts = annotated.conflicts.sort_values(["copies", "path"])
    sets = pd.factorize(conflicts["copies"])[0] + 1
    problems = [
        *_problem("can't be read", [f"{bad.path}: {bad.reason}" for bad in pixels.bad if not bad.is_no_image]),
        *_problem(f"changed since {config.data.manifest} was written", altered(image_list, annotated.images)),
        *_problem(
            "copies with different labels",
            [
                f"{path}: {label}, in set of copies {number}"
                for path, label, number in zip(conflicts["path"], conflicts["label"], sets, strict=True)
            ],
        ),
    ]
    try:
        check_split(image_list, config.split)
        split_images(annotated.images.drop(index=conflicts.index).reset_index(drop=True), image_list.classes, config.split)
    except UserError as error:
        problems.append(f"the split: {error}")
    try:
        check_metric_names(metric_names(image_list.classes))
    except UserError as error:
        problems.append(str(error))
    for line in _of_pixels(pixels):
        print(line)
    print("\n".join(problems) if problems else f"Nothing wrong: {pluralize(len(annotated.images), 'image')} in {image_list.root}")
    return 1 if problems else 0


def check_output(to: Path, data: DataConfig) -> None:
    """Raise `UserError` for a file that can't be written, or that would be among the class folders of `data.root`."""
    if is_among_images(to, data):
        raise UserError(f"{to} would be among the images of data.root={data.root}: name another place with --to FILE")
    check_files(to)


def _dataset(config: Config) -> tuple[Dataset, ImageList]:
    """The images of a config, without bad ones. Files that were read before are not read again."""
    progress = Progress()
    image_list = locate_images(config.data, progress.stage)
    config = replace(config, split=split_for(config.split, image_list))
    check_split(image_list, config.split)
    cache = cache_of(config, progress)
    hash_cache = HashCache(cache.folder, image_list.root) if cache else None
    return dataset_of(
        config, image_list, read_listed(image_list, None, progress.stage, cache, hash_cache, config.data.grey)
    ), image_list


def _of_pixels(pixels: ImagePixels) -> list[str]:
    """Lines on files that are by their kind no image, and on depths that are mixed."""
    kinds = pd.Series([bad.reason for bad in pixels.bad if bad.is_no_image], dtype=str)
    lines = [f"Left out: {_kinds(kinds)}"] if len(kinds) else []
    depths = pd.Series([fact.bits for fact in pixels.facts if fact.bits])
    if depths.nunique() > 1:
        rule = pixels.grey if pixels.grey in ("window", "brightest") else f"{pixels.grey} bits for all"
        lines.append(f"Deep images of mixed depths: {_kinds(depths.map('{} bits'.format))}; read by {rule} (data.grey)")
    return lines


def _manifest_to_replace(to: Path) -> pd.DataFrame | None:
    """The existing manifest; raises `UserError` for any other file, which must not be overwritten."""
    if not to.exists():
        return None
    try:
        if not to.is_file():
            raise ValueError("a folder, pipe or device")
        return read_manifest(to)
    except (OSError, ValueError):
        raise UserError(f"{to} exists and is no manifest that cxr wrote: choose another file with --to FILE") from None


def _print_listed(image_list: ImageList, more: list[str]) -> None:
    """Print the numbers of images by class, and by part and source where the data brings them."""
    for what in ("label", "split", "source"):
        counts = image_list.images[what][image_list.images[what] != ""].value_counts().sort_index()
        if len(counts):
            _print_counts(counts.to_frame("images"), {"label": "class", "split": "part"}.get(what, what), most=_MOST)
    for note in [*image_list.notes(), *more]:
        print(f"  {note}")


def _problem(what: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [f"{pluralize(len(lines), 'image')}: {what}", *(f"  {line}" for line in lines)]


def _print_survey(dataset: Dataset) -> None:
    """Print tables by class and by source, and lines on sizes, copies, sources and excluded images."""
    out, manifest = wide_console(), dataset.manifest
    by_class = summary(manifest)
    by_class = by_class.assign(all=by_class.sum(axis=1))
    _print_counts(pd.concat([by_class, by_class.sum().to_frame("all classes").T]), "class")
    known = manifest[manifest["source"] != ""]
    by_source = pd.crosstab(known["source"], known["label"])
    if len(by_source):
        largest = by_source.sum(axis=1).sort_values(ascending=False, kind="stable").index
        _print_counts(by_source.loc[largest], "source", most=_MOST)
    for line in [*_lines(manifest), *_left_out(dataset)]:
        out.print(f"  {line}", soft_wrap=True)


def _print_counts(counts: pd.DataFrame, what: str, most: int = 1000) -> None:
    rows = [(str(label), *(f"{count:,}" for count in row)) for label, row in counts.head(most).iterrows()]
    print_table([what, *map(str, counts.columns)], rows)
    if len(counts) > most:
        print(f"  and {pluralize(len(counts) - most, f'more {what}')}")


def _lines(manifest: pd.DataFrame) -> list[str]:
    sizes = manifest["width"].astype(str) + " x " + manifest["height"].astype(str)
    groups, copies = of_several(manifest["group"]), int(manifest["sha256"].duplicated(keep=False).sum())
    grouped = "Groups: none; no two images are copies, and no patient is known to have two"
    if len(groups):
        several = f"{pluralize(len(groups), 'group')} of {pluralize(int(groups.sum()), 'image')}"
        equal = f", {pluralize(copies, 'image')} equal to another to the pixel" if copies else ""
        grouped = f"Groups: {several} that belong together{equal}"
    shortcut = source_shortcut(manifest["label"], manifest["source"])
    unknown = "Sources: not known, so it can't be tested whether the network learns the disease or the hospital"
    return [f"Sizes: {_kinds(sizes)}", f"Modes: {_kinds(manifest['mode'])}", grouped, shortcut.text if shortcut else unknown]


def _kinds(values: pd.Series) -> str:
    counts = values.value_counts()
    kinds = [f"{name} ({count:,})" for name, count in counts.head(_MOST).items()]
    return ", ".join([*kinds, *([f"and {len(counts) - _MOST} more"] if len(counts) > _MOST else [])])


def _left_out(dataset: Dataset) -> list[str]:
    """Lines on excluded images, and on copies with conflicting labels."""
    conflicts = "Left out" if dataset.conflicts["left_out"].any() else "Kept"
    without_image = sum(bad.is_no_image for bad in dataset.bad)
    files = [f"Left out: {pluralize(without_image, 'file')} without an image"] if without_image else []
    return files + [
        f"{what}: {pluralize(count, 'image')} {why}"
        for what, count, why in (
            (conflicts, len(dataset.conflicts), "whose copies have another label; cxr data check lists them"),
            ("Left out", len(dataset.bad) - without_image, "that can't be read; cxr data check lists them"),
            ("Left out", len(dataset.excluded), "whose source is not known, or whose copy is in the test source"),
        )
        if count
    ]
