"""A batch of files, answered as a stream: a chunk is read while the one before it is computed. Loads TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.data.images.parallel import AllCores
from cxr.evaluation.decisions import decide
from cxr.evaluation.operating_points import Rule
from cxr.model.freeze import POOLED
from cxr.predict.answer import Answer, answers, unreadable
from cxr.predict.model import RunModel
from cxr.predict.read import Seen, read_images
from cxr.training.engine import choose_engine, engine_version
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import SavedTrainedModel, open_model

_BY_THREADS = 500  # files up to which processes would take longer to start than they save


@dataclass(frozen=True)
class Answered:
    """The answers of a chunk, in order, and the images (n, size, size, 1) as the model saw them, black where it did not."""

    answers: list[Answer]
    images: NDArray[np.uint8]


class Batch:
    """Answers of one model at one operating point. TensorFlow has to be prepared; `UserError` for a file that is no model."""

    def __init__(self, model: RunModel, rule: Rule, gated: bool) -> None:
        self.model, self.rule, self.gated = model, rule, gated
        self._opened: SavedTrainedModel = open_model(model.file, model.config)

    @property
    def engine(self) -> str:
        """The library that computes, and its version."""
        return engine_version(choose_engine(self.model.config.engine, self.model.config.training.precision))

    def answers(self, files: Sequence[str]) -> Iterator[Answered]:
        """Chunks of answers in the order of the files; memory does not grow with their number."""
        read = partial(read_images, size=self.model.facts.image_size)
        with AllCores() as all_cores:
            for images, seen in all_cores.map(read, files, few=_BY_THREADS):
                yield Answered(self.of_images(images, seen), images)

    def saliency(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grad-CAM of images (n, size, size, 1) for classes (n,), (n, rows, columns); values above 0 are evidence for the class."""
        return self._opened.saliency(images, classes)

    def of_images(self, images: NDArray[np.uint8], seen: Sequence[Seen], rule: Rule | None = None) -> list[Answer]:
        """The answers for images (n, size, size, 1) that were read, or could not be; by another operating point if one is given."""
        rows = np.array([row for row, each in enumerate(seen) if not each.reason], np.int64)
        known = iter(self._of_readable(images[rows], [seen[row] for row in rows], rule or self.rule)) if len(rows) else iter(())
        return [unreadable(each) if each.reason else next(known) for each in seen]

    def _of_readable(self, images: NDArray[np.uint8], seen: Sequence[Seen], rule: Rule) -> list[Answer]:
        gate, said = self.model.gate, self.model.decisions
        probabilities, features = self._opened.score_and_features(images, gate.layer if gate else POOLED)
        if self.model.config.evaluation.views > 1:
            hashes = [each.pixels for each in seen]
            rows = np.arange(len(images))
            probabilities = mean_over_views(self._opened, Rows.of(images), hashes, rows, self.model.config)
        distances = gate.distances(features) if gate else None
        decided = decide(said, probabilities, rule)
        return answers(seen, said, probabilities, decided, distances, self._flags(images, seen, distances), self.gated)

    def _flags(self, images: NDArray[np.uint8], seen: Sequence[Seen], distances: Any) -> list[list[str]]:
        """What makes each image unlike those that the model knows."""
        found = [list(each.odd) for each in seen]
        if self.model.gate is not None:
            limit = self.model.gate.limit
            for flags, distance in zip(found, distances, strict=True):
                apart = f"unlike the images that the model knows ({distance / limit:.1f} of the limit)"
                flags += [] if distance <= limit else [apart]
        if self.model.orientation is not None:
            for flags, kind in zip(found, self.model.orientation.kinds(images), strict=True):
                flags += [] if kind == "upright" else [f"the film seems {kind}"]
        return found
