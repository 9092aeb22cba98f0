"""The image files below a folder, known by their content, and what was left out, by reason."""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cxr.data.image_list import has_clear_label
from cxr.data.images.image_file import SUFFIXES, BadImage
from cxr.data.images.signature import looks_like_image
from cxr.data.layout.levels import Folders

# What operating systems, archives and network drives leave behind; hidden files and folders too.
_LEFT_BEHIND = {"__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir", "#recycle", "__pycache__"}
_FILES_LEFT_BEHIND = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"}
_MASKS = re.compile(r"masks?$", re.IGNORECASE)


@dataclass
class Listing:
    """The images below a folder, by path from there, and the folders of each, without those that are called images."""

    paths: list[str] = field(default_factory=list)
    folders: list[Folders] = field(default_factory=list)
    present: set[Folders] = field(default_factory=set)  # all folders
    closed: list[tuple[Folders, BadImage]] = field(default_factory=list)  # folders that can't be listed, names that are no text
    left_out: Counter[str] = field(default_factory=Counter)  # files, by reason

    def keep(self, places: list[int]) -> None:
        """Keep the images at these places."""
        self.paths, self.folders = [self.paths[place] for place in places], [self.folders[place] for place in places]


def list_images(root: Path) -> Listing:
    """All images below a folder, sorted by path: files with the suffix of an image, and others that begin as an image does.

    Masks, hidden files, and what operating systems leave behind are no images. Links are followed, but no cycles. Where a folder
    has a folder `images`, its other files are left out.
    """
    listing, visited = Listing(), set[str]()

    def note(error: OSError) -> None:
        where = os.path.relpath(error.filename, root)
        reason = f"{(error.strerror or '').lower()}: a folder"
        listing.closed.append((_folders_of(where), BadImage(where if has_clear_label(where) else ascii(where)[1:-1], reason)))

    for directory, subfolders, names in os.walk(root, onerror=note, followlinks=True):
        if (here := os.path.realpath(directory)) in visited:
            subfolders.clear()
            continue
        visited.add(here)
        inside = os.path.relpath(directory, root).replace(os.sep, "/")
        inside = "" if inside == "." else f"{inside}/"
        subfolders[:] = _searched(directory, subfolders, listing.left_out)
        of_images = [name for name in subfolders if name.lower() == "images"]
        if inside and of_images:
            beside = [name for name in subfolders if name not in of_images]
            count = sum(_is_image(directory, name, Counter()) for name in names) + sum(
                _files_in(directory, name) for name in beside
            )
            listing.left_out[f"beside {inside}{of_images[0]}"] += count
            subfolders[:], names = of_images, []
        folders = _folders_of(inside)
        listing.present.add(folders)
        for name in names:
            if _is_image(directory, name, listing.left_out):
                _add(listing, f"{inside}{name}", folders)
    listing.left_out = +listing.left_out
    listing.keep(sorted(range(len(listing.paths)), key=listing.paths.__getitem__))
    return listing


def _add(listing: Listing, path: str, folders: Folders) -> None:
    if has_clear_label(path):
        listing.paths.append(path)
        listing.folders.append(folders)
    else:
        listing.closed.append((folders, BadImage(ascii(path)[1:-1], "its name is not text in one line: rename it")))


def _folders_of(inside: str) -> Folders:
    return tuple(name for name in inside.split("/") if name not in ("", ".") and name.lower() != "images")


def _searched(directory: str, names: list[str], left_out: Counter[str]) -> list[str]:
    """The folders that may hold images, sorted; files in folders of masks are counted."""
    searched = []
    for name in sorted(names):
        if _MASKS.search(name):
            left_out["lung masks"] += _files_in(directory, name)
        elif not name.startswith(".") and name.lower() not in _LEFT_BEHIND:
            searched.append(name)
    return searched


def _files_in(directory: str, name: str) -> int:
    return sum(len(names) for _, _, names in os.walk(os.path.join(directory, name)))  # noqa: PTH118 - of many folders


def _is_image(directory: str, name: str, left_out: Counter[str]) -> bool:
    """Whether a file is an image by its suffix or its content; others are counted by suffix."""
    if name.startswith(".") or name.lower() in _FILES_LEFT_BEHIND:
        return False
    if name.lower().endswith(SUFFIXES) or looks_like_image(os.path.join(directory, name)):  # noqa: PTH118 - of many files
        return True
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - as above
    left_out[f"no image ({suffix if suffix.isascii() and suffix.isprintable() and suffix else 'without suffix'})"] += 1
    return False
