"""Decoded images: each file's pixels at the network's size, read once and kept by the content of the file."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.cache.cache import Cache
from cxr.cache.pieces import CacheUnusable, Values
from cxr.cache.rows import Rows
from cxr.cores import cores
from cxr.data.images import DECODER, BadImage, Decoded, decode
from cxr.errors import Mistake
from cxr.progress import Stage
from cxr.words import in_words

_AT_ONCE = 256  # images in memory while a set is written to the cache
_latest: "dict[str, Pixels]" = {}  # one set at a time: a sweep rarely needs two, and memory is dear


@dataclass(frozen=True)
class Pixels:
    """Images that were read, in the order of their paths; `bad` holds those that were not."""

    paths: tuple[str, ...]
    images: Rows  # (n, size, size, 1) uint8, 0..255
    facts: tuple[Decoded, ...]
    bad: tuple[BadImage, ...]


def read_images(root: Path, paths: tuple[str, ...], size: int, stage: Stage, cache: Cache | None = None) -> Pixels:
    """Read every path below `root` as grey levels, resized to `size` x `size`; bad images are left out and listed.

    Uses all cores; the result does not depend on how many. With a `cache` a file's content is decoded once, and the pixels
    stay on disk; without one, or where it is unusable, they are held in memory. Within a process nothing is read again as
    long as no file changes (by size and time).
    """
    with stage("index", f"Looking through {in_words(len(paths), 'image')}"):
        key = _state_of(root, paths, size)
        contents = {} if key in _latest else _contents_of(root, paths)
    if key not in _latest:
        reading = _Reading(root, size, stage, {path: said for path, said in contents.items() if not isinstance(said, BadImage)})
        found = reading.into_memory() if cache is None else reading.into_cache(cache)
        unreadable = [said for said in contents.values() if isinstance(said, BadImage)]
        _latest.clear()
        _latest[key] = _pixels(*found, list(reading.contents), unreadable)
    return _latest[key]


@dataclass(frozen=True)
class _Reading:
    """Files to decode, by path, with the hash of each one's content."""

    root: Path
    size: int
    stage: Stage
    contents: dict[str, str]

    def into_memory(self) -> tuple[Rows, list[Any]]:
        """Every image and what is known of it, in the order of the paths."""
        images = np.empty((len(self.contents), self.size, self.size, 1), np.uint8)
        facts: list[Any] = []
        for chunk, said in self._decode(np.arange(len(images))):
            images[len(facts) : len(facts) + len(chunk)] = chunk
            facts.extend(said)
        return Rows.of(images), facts

    def into_cache(self, cache: Cache) -> tuple[Rows, list[Any]]:
        """The same, from the cache as far as it has them; into memory where it is of no use."""
        recipe = {"image_size": self.size, "decoder": DECODER}
        try:
            kept = cache.rows("decoded", recipe, list(self.contents.values()), (self.size, self.size, 1), np.uint8, self._decode)
            return kept.rows, kept.facts
        except CacheUnusable as why:
            cache.tell(f"decoded images are held in memory, not kept: {why}")
        return self.into_memory()

    def _decode(self, places: NDArray[np.int64]) -> Values:
        paths, done = list(self.contents), 0

        def decode_one(path: str) -> tuple[NDArray[np.uint8], Any]:
            try:
                content = (self.root / path).read_bytes()
            except OSError as error:
                raise self._changing(path) from error
            if _hash(content) != self.contents[path]:
                raise self._changing(path)
            grey, fact = decode(content, self.size)
            return grey, {"bad": fact} if isinstance(fact, str) else asdict(fact)

        with self.stage("decode", f"Decoding {in_words(len(places), 'image')}") as update, ThreadPoolExecutor(cores()) as pool:
            for start in range(0, len(places), _AT_ONCE):
                read = list(pool.map(decode_one, [paths[place] for place in places[start : start + _AT_ONCE]]))
                done += len(read)
                update(done, len(places))
                yield np.stack([grey for grey, _ in read]), [fact for _, fact in read]

    def _changing(self, path: str) -> Mistake:
        return Mistake(f"{self.root / path} changed while it was being read: start again when nothing writes there any more")


def _pixels(images: Rows, facts: list[Any], paths: list[str], unreadable: list[BadImage]) -> Pixels:
    good = [place for place, fact in enumerate(facts) if "bad" not in fact]
    bad = [BadImage(path, fact["bad"]) for path, fact in zip(paths, facts, strict=True) if "bad" in fact]
    return Pixels(
        paths=tuple(paths[place] for place in good),
        images=images.only(np.array(good, np.int64)),
        facts=tuple(Decoded(**facts[place]) for place in good),
        bad=tuple(sorted([*bad, *unreadable], key=lambda each: each.path)),
    )


def _contents_of(root: Path, paths: tuple[str, ...]) -> dict[str, str | BadImage]:
    """The hash of each file's content, or why it can't be read."""

    def content_of(path: str) -> str | BadImage:
        try:
            return _hash((root / path).read_bytes())
        except OSError as error:
            return BadImage(path, error.strerror or "can't be opened")

    with ThreadPoolExecutor(cores()) as pool:
        return dict(zip(paths, pool.map(content_of, paths), strict=True))


def _state_of(root: Path, paths: tuple[str, ...], size: int) -> str:
    """Changes whenever a file does, by its size or time."""
    digest = hashlib.sha256(f"{root.resolve()}\0{size}".encode())
    for path in paths:
        try:
            stat = (root / path).stat()
        except OSError:
            digest.update(f"\0{path}\0absent".encode())
        else:
            digest.update(f"\0{path}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
