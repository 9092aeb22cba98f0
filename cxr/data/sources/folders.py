"""A source: a folder of class folders, listed by name without opening a file."""

import os
from pathlib import Path

import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList, counted_as, has_clear_label, image_list_of, spelling
from cxr.data.images.image_file import SUFFIXES, BadImage
from cxr.data.sources.source_tables import with_sources_of_tables
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.text import nearest


def root_of(data: DataConfig, stage: Stage) -> Path:
    """The folder of class folders."""
    assert data.root is not None  # checked with the config
    return Path(data.root).expanduser()


def find(data: DataConfig, root: Path) -> ImageList:
    """The images of each class, with the sources that tables beside the class folders name."""
    return with_sources_of_tables(find_images(data, root))


def find_images(data: DataConfig, root: Path) -> ImageList:
    """List the images of each class below `root`, in CLASS/images/ if it exists, else anywhere in CLASS/.

    Raises:
        UserError: The folder, a class or its images are missing.
    """
    try:
        present = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        what = {NotADirectoryError: "is a file, not a folder", FileNotFoundError: "does not exist"}.get(type(error))
        raise UserError(
            f"data.root={root} {what or f'can not be listed ({error.strerror})'}: give the folder with one folder for each class"
        ) from None
    if not present:
        raise UserError(f"data.root={root} holds no folders: it should hold one folder of images for each class")
    if data.classes is None and len(present) < 2:
        raise UserError(f"data.root={root} holds one folder only ({present[0]}): two classes at least are needed{_deeper(root)}")
    rows: list[tuple[str, str]] = []
    bad: list[BadImage] = []
    names = counted_as(data, present)
    for name, counts_as in names.items():
        folder = root / _folder_of(name, data, root, present)
        paths, unlisted = _images_in(root, folder)
        bad += unlisted
        if not paths and not unlisted:
            raise UserError(f"{folder} holds no images ({', '.join(SUFFIXES)}): add some, or leave {name} out with data.classes")
        if not paths and data.on_bad_image == "stop":
            raise UserError(f"{folder} can't be looked into ({unlisted[0].reason}): correct its permissions, or leave {name} out")
        rows += [(path, counts_as) for path in paths if has_clear_label(path)]
        unclear = [ascii(path)[1:-1] for path in paths if not has_clear_label(path)]
        bad += [BadImage(path, "its name is not text in one line: rename it") for path in unclear]
    return image_list_of(root, tuple(dict.fromkeys(names.values())), pd.DataFrame(rows, columns=["path", "label"]), bad)


def _folder_of(name: str, data: DataConfig, root: Path, present: list[str]) -> str:
    """The folder of a class that may have another spelling on this disk."""
    folder = name if name in present else spelling(name, data, present)
    if folder is None:
        hint = _deeper(root) or f": {nearest(name, present)}; name yours with data.classes"
        raise UserError(f"data.root={root} has no folder for class {name}{hint}")
    return folder


def _deeper(root: Path) -> str:
    """A hint if the classes are one folder further down, as in the archive of the database."""
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        inner = [entry.name for entry in folder.iterdir() if entry.is_dir()] if os.access(folder, os.R_OK | os.X_OK) else []
        if len(inner) >= 2 and "images" not in inner:
            return f": did you mean data.root={folder}?"
    return ""


def _images_in(root: Path, folder: Path) -> tuple[list[str], list[BadImage]]:
    """Sorted paths from the root, and folders that can't be listed; links are followed, but no cycles."""
    start = folder / "images" if os.path.isdir(folder / "images") else folder  # noqa: PTH112 - may be in a folder that is closed
    paths, closed, visited = list[str](), list[BadImage](), set[str]()

    def note(error: OSError) -> None:
        where = os.path.relpath(error.filename, root)
        closed.append(BadImage(where if has_clear_label(where) else ascii(where), f"{(error.strerror or '').lower()}: a folder"))

    for directory, subfolders, names in os.walk(start, onerror=note, followlinks=True):
        if (here := os.path.realpath(directory)) in visited:
            subfolders.clear()
            continue
        visited.add(here)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        inside = Path(directory).relative_to(root).as_posix()
        paths += [f"{inside}/{name}" for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
    return sorted(paths), closed
