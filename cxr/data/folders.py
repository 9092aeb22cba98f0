"""Which images a folder holds, and of which class: looked up by name alone, no file is opened."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cxr.config import DataConfig
from cxr.errors import Mistake
from cxr.words import in_words, nearest, slug

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ImageFolder:
    """The images of a data set: `paths` relative to `root` with forward slashes, sorted within each class."""

    root: Path
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    labels: tuple[int, ...]  # index into classes, one for each path

    def class_counts(self) -> dict[str, int]:
        """Number of images of each class."""
        return {name: self.labels.count(index) for index, name in enumerate(self.classes)}


def find_images(data: DataConfig, root: Path) -> ImageFolder:
    """List the images of each class below `root`, in CLASS/images/ where that exists, else anywhere in CLASS/.

    Raises `Mistake` where the folder, a class or its images are missing.
    """
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise Mistake(f"data.root={root} {what}: give the folder that holds one folder for each class")
    folders = _class_folders(data, root)
    slugs = [slug(name) for name in folders]
    if len(set(slugs)) < len(slugs):
        raise Mistake(
            f"class folders {', '.join(folders)} differ only in punctuation: rename one, so that each metric has its own name"
        )
    listed = {name: _images_in(root, folder) for name, folder in folders.items()}
    for name, found in listed.items():
        if not found:
            raise Mistake(
                f"{folders[name]} holds no images ({', '.join(IMAGE_SUFFIXES)}): add some, or leave {name} out of data.classes"
            )
    return ImageFolder(
        root=root,
        classes=tuple(listed),
        paths=tuple(path for found in listed.values() for path in found),
        labels=tuple(index for index, found in enumerate(listed.values()) for _ in found),
    )


def _class_folders(data: DataConfig, root: Path) -> dict[str, Path]:
    """Folder of each class, by the class's own name, in the order of `data.classes`, or sorted."""
    present = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not present:
        raise Mistake(f"data.root={root} holds no folders: it should hold one folder of images for each class")
    if data.classes is None:
        if len(present) < 2:
            raise Mistake(
                f"data.root={root} holds one folder only ({present[0].name}): two classes at least are needed{_deeper(root)}"
            )
        return {folder.name: folder for folder in present}
    by_name = {_loose(folder.name): folder for folder in present}
    found = {}
    for name in data.classes:
        known = [name, *data.aliases.get(name, [])]
        folder = next((by_name[_loose(alias)] for alias in known if _loose(alias) in by_name), None)
        if folder is None:
            hint = nearest(name, [folder.name for folder in present])
            raise Mistake(
                f"data.root={root} has no folder for class {name}{_deeper(root) or f': {hint}; name yours with data.classes'}"
            )
        found[name] = folder
    return found


def _loose(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name


def _deeper(root: Path) -> str:
    """A hint where the classes lie one folder further down, as they do in the database's own archive."""
    for folder in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        inner = [entry.name for entry in folder.iterdir() if entry.is_dir()] if os.access(folder, os.R_OK) else []
        if len(inner) >= 2 and "images" not in inner:
            return f": did you mean data.root={folder}?"
    return ""


def _images_in(root: Path, folder: Path) -> list[str]:
    start = folder / "images" if (folder / "images").is_dir() else folder
    found = []
    for directory, subfolders, names in os.walk(start):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [
            (Path(directory) / name).relative_to(root).as_posix()
            for name in names
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found)


def check_counts(images: ImageFolder, parts: int) -> None:
    """Raise `Mistake` for a class with fewer images than the split has parts."""
    for name, count in images.class_counts().items():
        if count < parts:
            raise Mistake(
                f"class {name} has {in_words(count, 'image')}, too few to split into {parts} parts: "
                "add images, leave it out with data.classes, or choose split=seed_80_20"
            )
