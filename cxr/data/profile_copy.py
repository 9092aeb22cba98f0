"""Where the cache keeps the page that `cxr data profile` wrote of a set of images, so that reports of runs with them link to it."""

from pathlib import Path

FOLDER = "profiles"  # in the cache


def profile_copy(cache: Path, fingerprint: str) -> Path:
    """The kept page about the images with a data fingerprint; the file need not exist."""
    return cache / FOLDER / f"{fingerprint}.html"
