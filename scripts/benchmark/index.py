"""The speed of an index, compared with decoding alone on the same cores."""

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from measure import Options, add_row, seconds_of, spread, table, timed_process
from PIL import Image
from rich.table import Table

from cxr.system import cores

_CHUNK = 64  # images that a process is given at a time


@dataclass(frozen=True)
class IndexRate:
    """One set, indexed twice: images/s of Pillow alone, seconds of both processes, what the first took to read files, peak GB."""

    pillow: float
    first: float
    reading: float
    second: float
    memory: float


def answer(options: Options) -> Iterator[Table]:
    """`cxr data index`, twice, and Pillow alone; crops are made again for each repeat."""
    result = table(
        "cxr data index, whole processes in seconds, and decoding the same images with Pillow alone",
        *("Pillow, images/s", "first", "of it reading", "reading, images/s", "of Pillow", "second", "GB"),
    )
    files = sorted(options.images.root.glob("*/images/*.png"))
    for count in options.args.images or [2000, 20_000]:
        repeats = [_measure(files, count) for _ in range(options.args.repeats)]
        rates = [count / repeat.reading for repeat in repeats]
        add_row(
            result,
            f"{count:,} images",
            spread([repeat.pillow for repeat in repeats], digits=0),
            spread([repeat.first for repeat in repeats]),
            spread([repeat.reading for repeat in repeats]),
            spread(rates, digits=0),
            spread([rate / repeat.pillow for rate, repeat in zip(rates, repeats, strict=True)], digits=2),
            spread([repeat.second for repeat in repeats]),
            spread([repeat.memory for repeat in repeats], digits=2),
        )
    yield result


def _measure(images: list[Path], count: int) -> IndexRate:
    """Index so many crops of the images, no two alike."""
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as name:
        folder = Path(name)
        pillow = count / _decode(_make(images, count, folder / "crops"))
        command = [sys.executable, "-m", "cxr", "data", "index", "data=folder", f"data.root={folder / 'crops'}"]
        first, memory, _ = timed_process(command, folder, CXR_CACHE=str(folder / "cache"))
        stages = re.findall(r"^(?:Looking|Decoding).*: ([\d.]+) s$", (folder / "stderr.txt").read_text(), re.MULTILINE)
        second, again, _ = timed_process(command, folder, CXR_CACHE=str(folder / "cache"))
        reading = max(0.05, sum(map(float, stages)))  # they are printed in tenths of a second
        return IndexRate(pillow, first, reading, second, max(memory, again))


def _make(images: list[Path], count: int, root: Path) -> list[Path]:
    """Crops of images as PNG of 256 x 256, changed an hour ago, in the images' class folders."""
    jobs = [(images[index % len(images)], index, root) for index in range(count)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(_crop, jobs, chunksize=_CHUNK))


def _crop(job: tuple[Path, int, Path]) -> Path:
    source, index, root = job
    left, top, size = np.random.default_rng(index).integers((0, 0, 180), (40, 40, 216)).tolist()
    target = root / source.parent.parent.name / f"{index}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        grey = image.convert("L").resize((256, 256))
        grey.crop((left, top, left + size, top + size)).resize((256, 256), Image.Resampling.BICUBIC).save(target)
    os.utime(target, (time.time() - 3600,) * 2)
    return target


def _decode(files: list[Path]) -> float:
    """Seconds to decode all files with Pillow alone, without the start of its processes."""
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        list(pool.map(_load, [files[:1]] * 4 * cores()))
        return seconds_of(lambda: list(pool.map(_load, chunks)))


def _load(files: list[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            image.load()
