"""What more images cost: sets of small images, ten times larger each, from an empty cache to a trained head."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contest import Images, desk
from PIL import Image

from cxr.model.weights import PHANTOM_WEIGHTS

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


def growth_curve(counts: Sequence[int]) -> Iterator[Growth]:
    """Make each set, run it once, and remove it."""
    for count in counts:
        folder = Path(tempfile.mkdtemp(prefix="cxr-bench-"))
        try:
            _make(folder, count)
            images = Images(folder, str(PHANTOM_WEIGHTS), size=_PIXELS, alpha=0.35)
            with desk() as ours:
                found = ours.cxr(images, _OVERRIDES)
                cached = sum(path.stat().st_size for path in (ours.folder / "cache").rglob("*") if path.is_file())
            stages = {name: found.said.get(f"seconds/{name}", 0.0) for name in STAGES}
            yield Growth(count, found.wall, stages, found.memory, cached / 1e9)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


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
