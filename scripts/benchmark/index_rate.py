"""The speed of an index, compared with decoding alone on the same cores."""

import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from contest import Images
from measure import timed_process
from PIL import Image

from cxr.system import cores

_CHUNK = 64  # images that a process is given at a time


@dataclass(frozen=True)
class IndexRate:
    """One set, indexed twice: seconds of both processes, and of the first what went into files; Pillow's images/s; peak GB."""

    images: int
    pillow: float
    first: float
    reading: float
    second: float
    memory: float


def index_rates(images: Images, counts: Sequence[int], folder: Path) -> list[IndexRate]:
    """Index so many crops of the images, no two alike; processes of Pillow's are started before its time is taken."""
    found = []
    for count in counts:
        root = folder / str(count)
        files = _make(sorted(images.root.glob("*/images/*.png")), count, root)
        pillow = count / _decode(files)
        command = [sys.executable, "-m", "cxr", "data", "index", "data=folder", f"data.root={root}"]
        environment = {"CXR_CACHE": str(folder / f"cache-{count}")}
        first, memory, _ = timed_process(command, folder, environment)
        stages = re.findall(r"^(?:Looking|Decoding).*: ([\d.]+) s$", (folder / "stderr.txt").read_text(), re.MULTILINE)
        second, again, _ = timed_process(command, folder, environment)
        (folder / "manifest.csv").unlink()
        reading = max(0.05, sum(map(float, stages)))  # they are told in tenths of a second
        found.append(IndexRate(count, pillow, first, reading, second, max(memory, again)))
    return found


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
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        list(pool.map(_load, [files[:1]] * 4 * cores()))
        started = time.perf_counter()
        list(pool.map(_load, chunks))
        return time.perf_counter() - started


def _load(files: list[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            image.load()
