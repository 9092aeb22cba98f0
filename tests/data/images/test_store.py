"""Decoded images: each file content is decoded once, under any name, and bad files are named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cxr.cache.store import Cache
from cxr.data.images import image_file
from cxr.data.images.image_file import decode
from cxr.data.images.store import forget_images, read_images
from cxr.progress import Progress

stage = Progress(Console(quiet=True)).stage
NAMES = ("1.png", "2.png", "3.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images."""
    forget_images()
    for number, name in enumerate(NAMES):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 40), np.uint8)).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The contents that were decoded so far."""
    contents: list[bytes] = []

    def counted(content: bytes, size: int | None, grey: str | None) -> object:
        contents.append(content)
        return decode(content, size, grey)

    monkeypatch.setattr(image_file, "decode", counted)
    return contents


@pytest.mark.parametrize("cached", [True, False])
def test_pixels_and_facts_come_in_the_order_of_the_paths(cached: bool, folder: Path) -> None:
    cache = Cache(folder / "cache", 10**9) if cached else None
    for names in (NAMES, NAMES[::-1]):
        forget_images()  # as another process would begin
        read = read_images(folder, names, 32, stage, cache)
        assert read.paths == names
        for row, name in enumerate(names):
            pixels, fact = decode((folder / name).read_bytes(), 32)
            np.testing.assert_array_equal(read.images[row], pixels)
            assert read.facts[row] == fact


def test_content_is_decoded_once_under_any_name(folder: Path, decodings: list[bytes]) -> None:
    cache = Cache(folder / "cache", 10**9)
    read_images(folder, NAMES[:2], 32, stage, cache)
    assert len(decodings) == 2
    (folder / "1.png").rename(folder / "new name.png")
    forget_images()  # as another process would begin
    read_images(folder, ("new name.png", "2.png", "3.png"), 32, stage, cache)
    assert len(decodings) == 3
    forget_images()  # as another process would begin
    read_images(folder, ("2.png",), 48, stage, cache)
    assert len(decodings) == 4  # another size


def test_process_reads_a_file_again_only_if_it_changed(folder: Path, decodings: list[bytes]) -> None:
    first = read_images(folder, NAMES, 32, stage)
    assert read_images(folder, NAMES, 32, stage) is first
    Image.new("L", (40, 40)).save(folder / "2.png")
    assert not read_images(folder, NAMES, 32, stage).images[1].any()
    assert len(decodings) == 6


@pytest.mark.parametrize("cached", [True, False])
def test_bad_images_are_named_and_left_out(cached: bool, folder: Path) -> None:
    cache = Cache(folder / "cache", 10**9) if cached else None
    (folder / "2.png").write_bytes(b"no image")
    for _ in range(2):
        forget_images()  # as another process would begin
        read = read_images(folder, (*NAMES, "absent.png"), 32, stage, cache)
        assert read.paths == ("1.png", "3.png")
        assert len(read.images) == len(read.facts) == 2
        assert [bad.path for bad in read.bad] == ["2.png", "absent.png"]
        assert all(bad.reason and str(folder) not in bad.reason for bad in read.bad)


def test_images_are_held_in_memory_where_the_cache_is_too_small(folder: Path) -> None:
    messages: list[str] = []
    read = read_images(folder, NAMES, 32, stage, Cache(folder / "cache", 100, messages.append))
    assert read.paths == NAMES
    assert ["held in memory" in message for message in messages] == [True]
