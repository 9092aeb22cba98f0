"""`cxr predict`: what it refuses of films and of what is none, its speed beside that of the engine alone, and its memory."""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contest import Desk, Images, desk
from measure import timed_process
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.system import prepare_memory
from cxr.tracking.store import Store
from cxr.training.runtime import prepare_tensorflow

MODELS = {
    "frozen head": ("freeze=head", "training.epochs=10"),
    "last_stage": ("freeze=last_stage", "training.epochs=6", "freeze.warmup_epochs=2"),
}


@dataclass(frozen=True)
class AnswerRates:
    """Of one model: refused shares by kind of image, images/s of a folder and of the engine alone, peak memory in GB."""

    model: str
    refused: dict[str, float]
    images: int
    folder_rate: float
    engine_rate: float
    memory: float
    memory_of_tenth: float


def answer_rates(images: Images, count: int, most: int = 400) -> Iterator[AnswerRates]:
    """Train each model, ask it about its own test images and odd ones made of them, and about a folder of `count` files."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    for name, overrides in MODELS.items():
        with desk() as ours:
            ours.cxr(images, (*overrides, "augment=none", "split=three_way", "audit=off", "tracking.run_name=asked"))
            yield _rates(name, ours, images, count, most)


def _rates(name: str, ours: Desk, images: Images, count: int, most: int) -> AnswerRates:
    from cxr.audit.probes.out_of_distribution import OUT_OF_DISTRIBUTION
    from cxr.predict.answer import Answer
    from cxr.predict.model import read_run_model
    from cxr.predict.predictor import Predictor
    from cxr.predict.read import read_images

    manifest = ours.manifest_table()
    test = [str(images.root / path) for path in manifest.loc[manifest["split"] == "test", "path"]][:most]
    model = read_run_model("asked", Store(uri=f"sqlite:///{ours.folder}/mlruns/mlflow.db", folder=ours.folder / "mlruns"))
    answerer, rule = Predictor(model), model.rule("argmax")
    pixels, read = read_images(test, images.size)
    facts = [Answer(file.path, file.sha256, file.width, file.height, pixels=file.pixels) for file in read]

    def share_refused(some: NDArray[np.uint8]) -> float:
        return float(np.mean([not each.called for each in answerer.of_images(some, facts, rule, gated=True)]))

    refused = {kind: share_refused(make(pixels)) for kind, make in OUT_OF_DISTRIBUTION.items()}
    paths = [images.root / path for path in manifest["path"]]
    small, large = _folder(ours.folder / "small", paths, count // 10), _folder(ours.folder / "large", paths, count)
    memory_of_tenth, _ = _ask(ours, small)
    memory, seconds = _ask(ours, large)
    repeated = np.resize(pixels, (min(count, 2000), *pixels.shape[1:]))
    started = time.perf_counter()
    answerer.of_images(repeated, [facts[0]] * len(repeated), rule, gated=True)
    alone = len(repeated) / (time.perf_counter() - started)
    return AnswerRates(name, refused, count, count / seconds, alone, memory, memory_of_tenth)


def _ask(ours: Desk, folder: Path) -> tuple[float, float]:
    """Peak memory in GB, and the seconds of answering without the start of the process."""
    command = [sys.executable, "-m", "cxr", "predict", "asked", str(folder), "--to", str(folder.parent / f"{folder.name}-answers")]
    _, memory, _ = timed_process(command, ours.folder, {})
    said = (ours.folder / "stderr.txt").read_text()
    took = re.search(r"Answering .*: ([\d.]+) s", said)
    assert took is not None, said
    return memory, float(took[1])


def _folder(folder: Path, paths: list[Path], count: int) -> Path:
    """So many files, copies of the images in turn."""
    folder.mkdir()
    for number in range(count):
        source, target = paths[number % len(paths)], folder / f"{number}.png"
        try:
            os.link(source, target)
        except OSError:  # another disk
            shutil.copy(source, target)
    return folder
