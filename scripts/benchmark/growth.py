"""What more images cost: sets of small images, ten times larger each, from an empty cache to a trained head."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Images, Options, add_row, desk, table
from PIL import Image
from rich.table import Table

from cxr.model.weights import PHANTOM_WEIGHTS
from cxr.system import cores

_CLASSES = ("COVID", "Normal", "Viral Pneumonia")
_PIXELS = 64
_OVERRIDES = (
    *("data.source=folders", "freeze=head", "augment=none", "training.epochs=3", "training.early_stopping_patience=3"),
    *("audit=off", "evaluation=numbers", "evaluation.resamples=100"),
)
STAGES = ("index", "decode", "frozen", "train", "evaluate", "log", "report")


@dataclass(frozen=True)
class Growth:
    """One set: seconds of the whole process and of its stages, peak memory in GB, size of the cache in GB."""

    images: int
    wall: float
    stages: dict[str, float]
    memory: float
    cache: float

    @property
    def millisecond_each(self) -> float:
        """Milliseconds for each image, of the stages that look at images."""
        return 1000 * sum(self.stages.values()) / self.images


def answer(options: Options) -> Iterator[Table | str]:
    """Each set once, and what a million images would take by the largest two sets."""
    title = f"A head on small images, {cores()} cores, empty cache: seconds of stages, milliseconds for each image, GB"
    result = table(title, "whole", *STAGES, "ms/image", "memory", "cache")
    sets = []
    for count in options.args.images or [1000, 10_000, 100_000]:
        growth = _measure(count)
        stages = (f"{growth.stages[name]:.1f}" for name in STAGES)
        sizes = f"{growth.millisecond_each:.2f}", f"{growth.memory:.2f}", f"{growth.cache:.2f}"
        add_row(result, f"{count:,} images", f"{growth.wall:.0f}", *stages, *sizes)
        sets.append(growth)
    yield result
    if len(sets) > 1:
        small, large = sets[-2:]
        time, memory = large.millisecond_each / small.millisecond_each, large.memory / small.memory
        yield f"From {small.images:,} to {large.images:,} images: {time:.2f} times the time for each, {memory:.2f} the memory."
        steps = (1_000_000 - large.images) / (large.images - small.images)
        minutes, space = (large.wall + steps * (large.wall - small.wall)) / 60, large.memory + steps * (large.memory - small.memory)
        yield f"In a line, a million images would take {minutes:.0f} min and {space:.1f} GB."


def _measure(count: int) -> Growth:
    """Make a set, run it once, and remove it."""
    with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder, desk() as ours:
        _make(Path(folder), count)
        wall, memory, _ = ours.cxr(*_OVERRIDES, *Images(Path(folder), str(PHANTOM_WEIGHTS), size=_PIXELS, alpha=0.35).for_cxr())
        metrics = ours.runs()[0].metrics
        cached = sum(path.stat().st_size for path in (ours.folder / "cache").rglob("*") if path.is_file())
    return Growth(count, wall, {name: metrics.get(f"seconds/{name}", 0.0) for name in STAGES}, memory, cached / 1e9)


def _make(folder: Path, count: int) -> None:
    """Images of smooth noise, brighter in one class than in the next; no two are alike."""
    for name in _CLASSES:
        (folder / name / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        place = number % len(_CLASSES)
        coarse = random.normal(100 + 20 * place, 40, (8, 8)).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(coarse).resize((_PIXELS, _PIXELS), Image.Resampling.BILINEAR)
        image.save(folder / _CLASSES[place] / "images" / f"{number:07d}.png", compress_level=1)
