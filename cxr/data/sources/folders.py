"""A source: a folder of images whose folders are classes, parts, sources or patients, listed without decoding a file."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList, counted_as, image_list_of, spelling
from cxr.data.layout.levels import Folders, Layout, around, layout_of
from cxr.data.layout.listing import Listing, list_images
from cxr.data.tables.labels_beside import hint_at_table
from cxr.data.tables.sources_beside import with_sources_of_tables
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.system import expanded
from cxr.text import listed, nearest, pluralize

_PLURAL = {"class": "classes"}


def root_of(data: DataConfig, stage: Stage) -> Path:
    """The folder that holds all images."""
    assert data.root is not None  # checked with the config
    return expanded(data.root)


def find(data: DataConfig, root: Path) -> ImageList:
    """The images of each class, with the sources that tables beside the class folders name."""
    return with_sources_of_tables(find_images(data, root))


def find_images(data: DataConfig, root: Path) -> ImageList:
    """List the images of each class below `root`.

    What folders mean is found by looking (see `layout_of`), unless `data.layout` says it.

    Raises:
        UserError: The folder, a class or its images are missing, or folders have two readings.
    """
    _check_root(root)
    listing = list_images(root)
    try:
        layout = _layout(data, root, listing)
        return _of_layout(data, root, listing, layout)
    except UserError as error:
        raise UserError(f"{error}{hint_at_table(root, listing.paths)}") from None


def _check_root(root: Path) -> None:
    try:
        next(root.iterdir(), None)
    except OSError as error:
        what = {NotADirectoryError: "is a file, not a folder", FileNotFoundError: "does not exist"}.get(type(error))
        raise UserError(
            f"data.root={root} {what or f'can not be listed ({error.strerror})'}: give the folder with one folder for each class"
        ) from None


def _layout(data: DataConfig, root: Path, listing: Listing) -> Layout:
    """The layout of a folder; images that lie in no folder of a class, and copies of all others, leave the listing."""
    if not listing.paths and not listing.closed:
        raise UserError(f"data.root={root} holds no images: it should hold one folder of images for each class")
    if data.layout != "auto":
        layout = Layout(tuple(data.layout.split("/")))
    else:
        _keep_deep(listing, 1, root)
        _leave_out_copy(listing)
        layout = _found_layout(data, root, listing)
    _keep_deep(listing, layout.levels.index("class") + 1, root)
    return layout


def _found_layout(data: DataConfig, root: Path, listing: Listing) -> Layout:

    def known(names: Collection[str]) -> float:
        assert data.classes is not None
        return float(np.mean([bool(spelling(name, data, tuple(names))) for name in data.classes]))

    folders = listing.folders or [folders for folders, _ in listing.closed]
    return layout_of(folders, f"data.root={root}", known if data.classes else None)


def _keep_deep(listing: Listing, depth: int, root: Path) -> None:
    """Keep images that lie in so many folders, and count the others."""
    deep = [place for place, folders in enumerate(listing.folders) if len(folders) >= depth]
    if listing.paths and not deep:
        raise UserError(
            f"data.root={root} holds {pluralize(len(listing.paths), 'image')}, none of them in a folder of a class: make one "
            "folder for each class, or give the labels in a table, data=manifest data.manifest=FILE"
        )
    listing.left_out["in no folder of a class"] += len(listing.paths) - len(deep)
    listing.keep(deep)


def _leave_out_copy(listing: Listing) -> None:
    """Leave out a folder that holds all that is beside it again, as an archive of chest X-rays with pneumonia does."""
    depth = around(listing.folders)
    inside = [(*folders[depth:], Path(path).name) for folders, path in zip(listing.folders, listing.paths, strict=True)]
    tops = {names[0] for names in inside}
    for top in sorted(tops):
        again, beside = {names[1:] for names in inside if names[0] == top}, {names for names in inside if names[0] != top}
        if len(tops) > 1 and again == beside:
            listing.left_out[f"in a folder {top} that is a copy of what is beside it"] += len(again)
            listing.keep([place for place, names in enumerate(inside) if names[0] != top])
            return


def _of_layout(data: DataConfig, root: Path, listing: Listing, layout: Layout) -> ImageList:
    folders = listing.folders
    of_class = layout.column("class", folders)
    present = sorted({*of_class, *_empty_classes(listing, layout)})
    counts_as = dict[str, str]()
    for name, whole in counted_as(data, present).items():
        folder = name if name in present else spelling(name, data, present)
        if folder is None:
            raise UserError(
                f"data.root={root} has no folder for class {name}: {nearest(name, present)}; name yours with data.classes"
            )
        counts_as[folder] = whole
    bad = [
        image for above, image in listing.closed if len(above) <= layout.levels.index("class") or _class(above, layout) in counts_as
    ]
    _check_filled(data, root, listing, layout, list(counts_as))
    rows = pd.DataFrame(
        {
            "path": listing.paths,
            "label": [counts_as.get(name, "") for name in of_class],
            "split": layout.column("part", folders),
            "source": layout.column("source", folders),
            "group": _patients(folders, layout),
        }
    )
    rows = rows[rows["label"] != ""]
    images = image_list_of(root, tuple(dict.fromkeys(counts_as.values())), rows, bad)
    return replace(images, reading=_reading(layout, folders), left_out=dict(+listing.left_out))


def _class(folders: Folders, layout: Layout) -> str:
    return layout.column("class", [folders])[0]


def _empty_classes(listing: Listing, layout: Layout) -> set[str]:
    """Folders beside those of the classes that hold no image."""
    level = layout.levels.index("class")
    above = listing.folders[0][:level] if listing.folders else ()
    if "part" in layout.levels[:level] or "source" in layout.levels[:level]:
        return set()  # a part or a source may lack a class
    return {folders[level] for folders in listing.present if len(folders) == level + 1 and folders[:level] == above}


def _check_filled(data: DataConfig, root: Path, listing: Listing, layout: Layout, classes: list[str]) -> None:
    """Raise `UserError` for a class without images."""
    filled = set(layout.column("class", listing.folders))
    closed = {_class(folders, layout): image for folders, image in listing.closed}
    for name in classes:
        if name not in filled and name not in closed:
            raise UserError(f"{root / name} holds no images: add some, or leave {name} out with data.classes")
        if name not in filled and data.on_bad_image == "stop":
            raise UserError(
                f"{root / name} can't be looked into ({closed[name].reason}): correct its permissions, or leave {name} out"
            )


def _patients(folders: Sequence[Folders], layout: Layout) -> list[str]:
    """The patient of each image; "" without. Short numbers may begin again in each class, so their folders count as a whole."""
    names = layout.column("patient", folders)
    again = any(0 < sum(character.isdigit() for character in name) < 4 for name in names)
    if not again:
        return names
    level = layout.levels.index("patient")
    return ["/".join(above[: level + 1]) if name else "" for above, name in zip(folders, names, strict=True)]


def _reading(layout: Layout, folders: Sequence[Folders]) -> str:
    """What folders mean, in a line; "" where they are classes and nothing else."""
    if layout.levels == ("class",):
        return ""
    names = {role: sorted(set(layout.column(role, folders)) - {""}) for role in layout.levels if role != "*"}
    text = "; ".join(f"{pluralize(len(of_role), role, _PLURAL.get(role))} ({listed(of_role)})" for role, of_role in names.items())
    return f"Folders are read as {layout}: {text}. data.layout reads them otherwise."
