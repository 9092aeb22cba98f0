"""`cxr predict`: what it refuses of radiographs and of other images, its speed next to that of the engine alone, and its memory."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Desk, Images, Options, add_row, desk, seconds_of, table
from numpy.typing import NDArray
from rich.table import Table

from cxr.config.schema import Config
from cxr.system import cores, prepare_memory
from cxr.tracking.store import Store
from cxr.training.runtime import prepare_tensorflow

MODELS = {
    "frozen head": ("freeze=head", "training.epochs=10"),
    "last_stage": ("freeze=last_stage", "training.epochs=6", "freeze.warmup_epochs=2"),
}
_MOST = 400  # test images of each kind


@dataclass(frozen=True)
class AnswerRates:
    """Of one model: refused shares by kind of image, images/s of a folder and of the engine alone, peak memory in GB."""

    refused: dict[str, float]
    folder_rate: float
    engine_rate: float
    memory: float
    memory_of_tenth: float


def answer(options: Options) -> Iterator[Table]:
    """Train each model, ask it about its test images and OOD ones made of them, and about a folder of the first of --images."""
    count = (options.args.images or [2000])[0]
    prepare_memory()
    prepare_tensorflow(Config().training)
    refused = table("Shares of images that cxr predict refuses to answer", *MODELS)
    speed = table(
        f"cxr predict on {count:,} files and {cores()} cores",
        *("images/s", "engine and answers alone", "ratio", "GB", "GB for a tenth of the files"),
    )
    models = {name: _measure(overrides, options.images, count) for name, overrides in MODELS.items()}
    for kind in models["last_stage"].refused:
        refused.add_row(kind, *(f"{rates.refused[kind]:.3f}" for rates in models.values()))
    for name, rates in models.items():
        ratio, memory = rates.folder_rate / rates.engine_rate, (f"{rates.memory:.2f}", f"{rates.memory_of_tenth:.2f}")
        add_row(speed, name, f"{rates.folder_rate:.0f}", f"{rates.engine_rate:.0f}", f"{ratio:.2f}", *memory)
    yield from (refused, speed)


def _measure(overrides: tuple[str, ...], images: Images, count: int) -> AnswerRates:
    with desk() as ours:
        common = ("augment=none", "split=three_way", "audit=off", "tracking.run_name=measured")
        ours.cxr(*overrides, *common, *images.for_cxr())
        return _rates(ours, images, count)


def _rates(ours: Desk, images: Images, count: int) -> AnswerRates:
    from cxr.audit.probes.out_of_distribution import OUT_OF_DISTRIBUTION
    from cxr.predict.answer import Answer
    from cxr.predict.model import read_run_model
    from cxr.predict.predictor import Predictor
    from cxr.predict.read import read_images

    manifest = ours.manifest()
    test = [str(images.root / path) for path in manifest.loc[manifest["split"] == "test", "path"]][:_MOST]
    model = read_run_model("measured", Store(uri=f"sqlite:///{ours.folder}/mlruns/mlflow.db", folder=ours.folder / "mlruns"))
    predictor, rule = Predictor(model), model.rule("argmax")
    pixels, files = read_images(test, images.size)
    facts = [Answer(file.path, file.sha256, file.width, file.height, pixels=file.pixels) for file in files]

    def share_refused(some: NDArray[np.uint8]) -> float:
        return float(np.mean([not response.called for response in predictor.of_images(some, facts, rule, gated=True)]))

    refused = {kind: share_refused(make(pixels)) for kind, make in OUT_OF_DISTRIBUTION.items()}
    paths = [images.root / path for path in manifest["path"]]
    small, large = _folder(ours.folder / "small", paths, count // 10), _folder(ours.folder / "large", paths, count)
    memory_of_tenth, _ = _ask(ours, small)
    memory, seconds = _ask(ours, large)
    repeated = np.resize(pixels, (min(count, 2000), *pixels.shape[1:]))
    alone = seconds_of(lambda: predictor.of_images(repeated, [facts[0]] * len(repeated), rule, gated=True))
    return AnswerRates(refused, count / seconds, len(repeated) / alone, memory, memory_of_tenth)


def _ask(ours: Desk, folder: Path) -> tuple[float, float]:
    """Peak memory in GB, and the seconds of answering without the start of the process."""
    _, memory, _ = ours.cxr("predict", "measured", str(folder), "--to", str(folder.parent / f"{folder.name}-answers"))
    text = (ours.folder / "stderr.txt").read_text()
    seconds = re.search(r"Answering .*: ([\d.]+) s", text)
    assert seconds is not None, text
    return memory, float(seconds[1])


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
