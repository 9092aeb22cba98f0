"""Decoded images: pixels at the network's size, decoded once for each file content and kept in the cache."""

import hashlib
import os
from collections.abc import Callable
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
from cxr.data.images.depth import depth_of_collection
from cxr.data.images.hash_cache import HashCache
from cxr.data.images.image_file import (
    DECODER,
    DECODER_BY_RULES,
    BadImage,
    Content,
    ImageFacts,
    contents_of,
    decode_contents,
    is_read_by_rules,
    shape_of,
)
from cxr.data.images.parallel import AllCores
from cxr.progress import Stage
from cxr.text import pluralize

_FEW_TO_DECODE, _FEW_TO_HASH = 1000, 10_000  # images, up to which threads are quicker than processes

_latest: "dict[str, ImagePixels]" = {}  # one set at a time: a sweep rarely needs two, and memory is dear


@dataclass(frozen=True)
class ImagePixels:
    """Images that were read, in the order of their paths; `bad` holds those that were not.

    `grey` is the rule of `data.grey` that deep ones were read by: with `auto`, the depth of the collection, where any is deep.
    """

    paths: tuple[str, ...]
    images: Rows  # (n, size, size, 1) uint8, 0..255; (n, 0) without a size
    facts: tuple[ImageFacts, ...]
    bad: tuple[BadImage, ...]
    grey: str = "auto"


def read_images(
    root: Path,
    paths: tuple[str, ...],
    size: int | None,
    stage: Stage,
    cache: Cache | None = None,
    hash_cache: HashCache | None = None,
    grey: str = "auto",
) -> ImagePixels:
    """Read every path below `root` as grey levels, resized to `size` x `size`; bad images are left out and listed.

    Without a size only the facts of each image are made, and its pixels are an empty array. All cores are used; the result does
    not depend on how many. With a `cache` a file's content is decoded once, and the pixels stay on disk; without one, or where it
    is unusable, they are held in memory. A process reads nothing again as long as no file changes (by size and time); with
    `hash_cache`, it does not read what another process has hashed.
    """
    with AllCores() as all_cores:
        with stage("index", f"Looking through {pluralize(len(paths), 'image')}"):
            key = f"{_state_of(root, paths, size)} {grey}"
            if key in _latest:
                return _latest[key]
            contents, unreadable = _contents_of(root, paths, hash_cache, all_cores)
        rows, facts, grey = _decoded(list(contents.values()), grey, partial(_rows, size, stage, cache, all_cores))
    good = [place for place, fact in enumerate(facts) if "bad" not in fact]
    bad = [BadImage(path, fact["bad"]) for path, fact in zip(contents, facts, strict=True) if "bad" in fact]
    names = list(contents)
    _latest.clear()
    _latest[key] = ImagePixels(
        paths=tuple(names[place] for place in good),
        images=rows.only(np.array(good, np.int64)),
        facts=tuple(ImageFacts(**facts[place]) for place in good),
        bad=tuple(sorted([*bad, *unreadable], key=lambda image: image.path)),
        grey=grey,
    )
    return _latest[key]


def forget_images() -> None:
    """Read images again at the next call, even if no file has changed."""
    _latest.clear()


def _decoded(
    contents: list[Content], grey: str, rows_of: Callable[[list[Content], str | None], tuple[Rows, list[Any]]]
) -> tuple[Rows, list[Any], str]:
    """Every image and its facts, and the rule that deep ones are read by.

    Most images depend on no rule. Each of the others is read by its own depth, if the collection shall have one, and those that
    differ from it again.
    """
    rows, facts = rows_of(contents, None)

    def read_again(places: list[int], rule: str) -> None:
        nonlocal rows
        if places:
            others, new = rows_of([contents[place] for place in places], rule)
            rows = rows.replaced(np.array(places, np.int64), others)
            for place, fact in zip(places, new, strict=True):
                facts[place] = fact

    read_again([place for place, fact in enumerate(facts) if _depends_on_rules(fact)], grey)
    if grey == "auto" and (depths := [fact["bits"] for fact in facts if fact.get("bits")]):
        depth = depth_of_collection(depths)
        grey = str(depth)
        read_again([place for place, fact in enumerate(facts) if fact.get("bits") and fact["bits"] != depth], grey)
    return rows, facts, grey


def _depends_on_rules(fact: dict[str, Any]) -> bool:
    """Whether an image is deep or DICOM, or could not be read: other libraries may."""
    return "bad" in fact or is_read_by_rules(fact["mode"])


def _rows(
    size: int | None, stage: Stage, cache: Cache | None, all_cores: AllCores, contents: list[Content], grey: str | None
) -> tuple[Rows, list[Any]]:
    """Every image and its facts, in this order: from the cache as far as it has them, in memory if it is unusable.

    Without a rule `grey`, those that depend on one are among the bad ones.
    """

    def compute(places: NDArray[np.int64]) -> Values:
        done, decode = 0, partial(decode_contents, size=size, grey=grey)
        with stage("decode", f"Decoding {pluralize(len(places), 'image')}") as update:
            for pixels, facts in all_cores.map(decode, [contents[place] for place in places], few=_FEW_TO_DECODE):
                done += len(facts)
                update(done, len(places))
                yield pixels, [{"bad": fact} if isinstance(fact, str) else asdict(fact) for fact in facts]

    if cache is not None:
        key = {"image_size": size, "decoder": DECODER}
        if grey is not None:
            key |= {"decoder": DECODER_BY_RULES, "grey": grey}
        kind: Kind = "facts" if size is None else "decoded"
        try:
            return cache.rows(kind, key, [content.sha256 for content in contents], shape_of(size), np.uint8, compute)
        except CacheUnusable as why:
            cache.tell(f"decoded images are held in memory, not kept: {why}")
    images = np.empty((len(contents), *shape_of(size)), np.uint8)
    all_facts: list[Any] = []
    for chunk, facts in compute(np.arange(len(images))):
        images[len(all_facts) : len(all_facts) + len(chunk)] = chunk
        all_facts.extend(facts)
    return Rows.of(images), all_facts


def _contents_of(
    root: Path, paths: tuple[str, ...], hash_cache: HashCache | None, all_cores: AllCores
) -> tuple[dict[str, Content], list[BadImage]]:
    """The content hash of each file, and the files that can't be read."""
    contents: dict[str, Content | OSError] = {**hash_cache.recall(paths)} if hash_cache else {}
    unknown = [path for path in paths if path not in contents]
    read = chain.from_iterable(all_cores.map(contents_of, [f"{root}/{path}" for path in unknown], few=_FEW_TO_HASH))
    contents.update(zip(unknown, read, strict=True))
    readable, bad = dict[str, Content](), []
    for path in paths:
        if isinstance(content := contents[path], Content):
            readable[path] = content
        else:
            reason = content.strerror or "can't be opened"
            bad.append(BadImage(path, reason[:1].lower() + reason[1:]))
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
