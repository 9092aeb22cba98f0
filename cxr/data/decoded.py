"""Decoded images, kept for the jobs of a sweep: in this process, and on a shelf that several processes share."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from filelock import FileLock

from cxr.data.images import BadImage, Decoded, Pixels, read_images

_latest: dict[str, Pixels] = {}  # one set at a time: a sweep rarely needs two, and memory is dear


def read_once(root: Path, paths: tuple[str, ...], size: int, on_progress: Callable[[int, int], None], shelf: Path | None) -> Pixels:
    """What `read_images` returns, decoded once in this process as long as no file changes (by size and time).

    `shelf` is a folder of processes that need the same images at once: one of them decodes, the others map its arrays.
    """
    key = _key(root, paths, size)
    if key not in _latest:
        if shelf is None:
            pixels = read_images(root, paths, size, on_progress)
        else:
            shelf.mkdir(parents=True, exist_ok=True)
            with FileLock(shelf / f"{key}.lock"):
                pixels = _take(shelf, key) or _put(shelf, key, read_images(root, paths, size, on_progress))
        _latest.clear()
        _latest[key] = pixels
    return _latest[key]


def _key(root: Path, paths: tuple[str, ...], size: int) -> str:
    digest = hashlib.sha256(f"{root.resolve()}\0{size}".encode())
    for path in paths:
        try:
            stat = (root / path).stat()
        except OSError:
            digest.update(f"\0{path}\0absent".encode())
        else:
            digest.update(f"\0{path}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _put(shelf: Path, key: str, pixels: Pixels) -> Pixels:
    np.save(shelf / f"{key}.npy", pixels.images)
    facts = {"paths": pixels.paths, "facts": [asdict(fact) for fact in pixels.facts], "bad": [asdict(bad) for bad in pixels.bad]}
    part = shelf / f"{key}.part"
    part.write_text(json.dumps(facts))
    part.replace(shelf / f"{key}.json")  # last: where it is, the array is whole
    return pixels


def _take(shelf: Path, key: str) -> Pixels | None:
    if not (shelf / f"{key}.json").exists():
        return None
    said = json.loads((shelf / f"{key}.json").read_text())
    return Pixels(
        paths=tuple(said["paths"]),
        images=np.load(shelf / f"{key}.npy", mmap_mode="r"),
        facts=tuple(Decoded(**fact) for fact in said["facts"]),
        bad=tuple(BadImage(**bad) for bad in said["bad"]),
    )
