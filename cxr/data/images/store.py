"""Decoded images: pixels at the network's size, decoded once for each file content and kept in the cache."""

import hashlib
import os
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.cache.eviction import Kind
from cxr.cache.rows import Rows
from cxr.cache.shards import CacheUnusable, Values
from cxr.cache.store import Cache
from cxr.data.images.hash_cache import HashCache
from cxr.data.images.image_file import DECODER, BadImage, Content, ImageFacts, contents_of, decode_contents, shape_of
from cxr.data.images.parallel import AllCores
from cxr.progress import Stage
from cxr.text import pluralize

_FEW_TO_DECODE, _FEW_TO_HASH = 1000, 10_000  # images, up to which threads are quicker than processes

_latest: "dict[str, ImagePixels]" = {}  # one set at a time: a sweep rarely needs two, and memory is dear


@dataclass(frozen=True)
class ImagePixels:
    """Images that were read, in the order of their paths; `bad` holds those that were not."""

    paths: tuple[str, ...]
    images: Rows  # (n, size, size, 1) uint8, 0..255; (n, 0) without a size
    facts: tuple[ImageFacts, ...]
    bad: tuple[BadImage, ...]


def read_images(
    root: Path,
    paths: tuple[str, ...],
    size: int | None,
    stage: Stage,
    cache: Cache | None = None,
    hash_cache: HashCache | None = None,
) -> ImagePixels:
    """Read every path below `root` as grey levels, resized to `size` x `size`; bad images are left out and listed.

    Without a size only the facts of each image are made, and its pixels are an empty array.
    Uses all cores; the result does not depend on how many. With a `cache` a file's content is decoded once, and the pixels
    stay on disk; without one, or where it is unusable, they are held in memory. Within a process nothing is read again as
    long as no file changes (by size and time); with `hash_cache`, neither is what another process has looked at.
    """
    with AllCores() as all_cores:
        with stage("index", f"Looking through {pluralize(len(paths), 'image')}"):
            key = _state_of(root, paths, size)
            if key in _latest:
                return _latest[key]
            contents, unreadable = _contents_of(root, paths, hash_cache, all_cores)
        reading = _Reading(size, stage, contents, all_cores)
        found = reading.into_memory() if cache is None else reading.into_cache(cache)
    _latest.clear()
    _latest[key] = _pixels(*found, list(contents), unreadable)
    return _latest[key]


def forget_images() -> None:
    """Read images again at the next call, even if no file has changed."""
    _latest.clear()


@dataclass(frozen=True)
class _Reading:
    """Files to decode, by path, with the hash of each content."""

    size: int | None
    stage: Stage
    contents: dict[str, Content]
    all_cores: AllCores

    def into_memory(self) -> tuple[Rows, list[Any]]:
        """Every image and its facts, in the order of the paths."""
        images = np.empty((len(self.contents), *shape_of(self.size)), np.uint8)
        facts: list[Any] = []
        for chunk, said in self._decode(np.arange(len(images))):
            images[len(facts) : len(facts) + len(chunk)] = chunk
            facts.extend(said)
        return Rows.of(images), facts

    def into_cache(self, cache: Cache) -> tuple[Rows, list[Any]]:
        """The same, from the cache as far as it has them; in memory if the cache is unusable."""
        key = {"image_size": self.size, "decoder": DECODER}
        kind: Kind = "facts" if self.size is None else "decoded"
        hashes = [content.sha256 for content in self.contents.values()]
        try:
            kept = cache.rows(kind, key, hashes, shape_of(self.size), np.uint8, self._decode)
            return kept.rows, kept.facts
        except CacheUnusable as why:
            cache.tell(f"decoded images are held in memory, not kept: {why}")
        return self.into_memory()

    def _decode(self, places: NDArray[np.int64]) -> Values:
        contents, done = list(self.contents.values()), 0
        decode = partial(decode_contents, size=self.size)
        with self.stage("decode", f"Decoding {pluralize(len(places), 'image')}") as update:
            for pixels, facts in self.all_cores.map(decode, [contents[place] for place in places], few=_FEW_TO_DECODE):
                done += len(facts)
                update(done, len(places))
                yield pixels, [{"bad": fact} if isinstance(fact, str) else asdict(fact) for fact in facts]


def _pixels(images: Rows, facts: list[Any], paths: list[str], unreadable: list[BadImage]) -> ImagePixels:
    good = [place for place, fact in enumerate(facts) if "bad" not in fact]
    bad = [BadImage(path, fact["bad"]) for path, fact in zip(paths, facts, strict=True) if "bad" in fact]
    return ImagePixels(
        paths=tuple(paths[place] for place in good),
        images=images.only(np.array(good, np.int64)),
        facts=tuple(ImageFacts(**facts[place]) for place in good),
        bad=tuple(sorted([*bad, *unreadable], key=lambda each: each.path)),
    )


def _contents_of(
    root: Path, paths: tuple[str, ...], hash_cache: HashCache | None, all_cores: AllCores
) -> tuple[dict[str, Content], list[BadImage]]:
    """The content hash of each file, and the files that can't be read."""
    known = hash_cache.recall(paths) if hash_cache else {}
    unknown = [path for path in paths if path not in known]
    found = chain.from_iterable(all_cores.map(contents_of, [f"{root}/{path}" for path in unknown], few=_FEW_TO_HASH))
    looked_at: dict[str, Content | OSError] = {**known, **dict(zip(unknown, found, strict=True))}
    readable, bad = {}, []
    for path in paths:
        said = looked_at[path]
        if isinstance(said, Content):
            readable[path] = said
        else:
            bad.append(BadImage(path, _in_lower_case(said.strerror or "can't be opened")))
    if hash_cache:
        hash_cache.remember(readable)
    return readable, bad


def _state_of(root: Path, paths: tuple[str, ...], size: int | None) -> str:
    """A hash that changes if a file changes its size or time."""
    digest = hashlib.sha256(f"{root.resolve()}\0{size}".encode())
    for path in paths:
        try:
            stat = os.stat(f"{root}/{path}")  # noqa: PTH116 - of many files, and a Path takes longer than this
        except OSError:
            digest.update(f"\0{path!a}\0absent".encode())
        else:
            digest.update(f"\0{path!a}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _in_lower_case(reason: str) -> str:
    return reason[:1].lower() + reason[1:]
