"""A model that answers: files as a stream, where a chunk is read while another is computed, or images. Loads TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.data.images.parallel import AllCores
from cxr.evaluation.decisions import decide
from cxr.evaluation.operating_points import Rule
from cxr.model.freeze import POOLED
from cxr.predict.answer import Answer, answers, unreadable
from cxr.predict.model import RunModel
from cxr.predict.read import InputFile, read_images
from cxr.training.engine import choose_engine, engine_version
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import SavedTrainedModel, open_model

_BY_THREADS = 500  # files up to which processes would take longer to start than they save


@dataclass(frozen=True)
class Scores:
    """What the model makes of n images, whatever the operating point: `flags` says what makes each unlike known ones."""

    probabilities: NDArray[np.float64]  # (n, classes)
    distances: NDArray[np.float64] | None  # (n,), squared; None without a gate
    flags: list[list[str]]

    def part(self, start: int, end: int) -> "Scores":
        """Those of images from `start` up to `end`."""
        distances = None if self.distances is None else self.distances[start:end]
        return Scores(self.probabilities[start:end], distances, self.flags[start:end])


@dataclass(frozen=True)
class AnsweredFiles:
    """The answers of a chunk, in order, and the images (n, size, size, 1) as the model saw them, black where it did not."""

    answers: list[Answer]
    images: NDArray[np.uint8]


class Predictor:
    """A model, open. TensorFlow has to be prepared; raises `UserError` for a file that is no model."""

    def __init__(self, model: RunModel) -> None:
        self.model = model
        self._opened: SavedTrainedModel = open_model(model.file, model.config)

    @property
    def engine(self) -> str:
        """The library that computes, and its version."""
        return engine_version(choose_engine(self.model.config.engine, self.model.config.training.precision))

    def of_files(self, files: Sequence[str], rule: Rule, gated: bool) -> Iterator[AnsweredFiles]:
        """Chunks of answers in the order of the files; memory does not grow with their number."""
        read = partial(read_images, size=self.model.facts.image_size)
        with AllCores() as all_cores:
            for images, seen in all_cores.map(read, files, few=_BY_THREADS):
                yield AnsweredFiles(self.of_images(images, seen, rule, gated), images)

    def of_images(self, images: NDArray[np.uint8], seen: Sequence[InputFile], rule: Rule, gated: bool) -> list[Answer]:
        """The answers for images (n, size, size, 1) that were read, or could not be."""
        rows = readable(seen)
        scored = self.score(images[rows], [seen[row] for row in rows]) if len(rows) else None
        return self.answers(scored, seen, rule, gated)

    def score(self, images: NDArray[np.uint8], seen: Sequence[InputFile]) -> Scores:
        """What the model makes of readable images (n, size, size, 1); no image changes what another gets."""
        gate = self.model.gate
        probabilities, features = self._opened.score_and_features(images, gate.layer if gate else POOLED)
        if self.model.facts.views > 1:
            hashes, rows = [each.pixels for each in seen], np.arange(len(images))
            probabilities = mean_over_views(self._opened, Rows.of(images), hashes, rows, self.model.config)
        distances = gate.distances(features) if gate else None
        return Scores(probabilities, distances, self._flags(images, seen, distances))

    def answers(self, scored: Scores | None, seen: Sequence[InputFile], rule: Rule, gated: bool) -> list[Answer]:
        """The answers for files, of which the readable ones were scored; None: there is no readable one."""
        said, known = self.model.decisions, iter(list[Answer]())
        if scored is not None:
            decided = decide(said, scored.probabilities, rule)
            of_known = [seen[row] for row in readable(seen)]
            known = iter(answers(of_known, said, scored.probabilities, decided, scored.distances, scored.flags, gated))
        return [unreadable(each) if each.reason else next(known) for each in seen]

    def saliency(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grad-CAM of images (n, size, size, 1) for classes (n,), (n, rows, columns); values above 0 are evidence for the class."""
        return self._opened.saliency(images, classes)

    def _flags(
        self, images: NDArray[np.uint8], seen: Sequence[InputFile], distances: NDArray[np.float64] | None
    ) -> list[list[str]]:
        """What makes each image unlike those that the model knows."""
        found = [list(each.odd) for each in seen]
        if self.model.gate is not None and distances is not None:
            limit = self.model.gate.limit
            for flags, distance in zip(found, distances, strict=True):
                apart = f"unlike the images that the model knows ({distance / limit:.1f} of the limit)"
                flags += [] if distance <= limit else [apart]
        if self.model.orientation is not None:
            for flags, kind in zip(found, self.model.orientation.kinds(images), strict=True):
                flags += [] if kind == "upright" else [f"the film seems {kind}"]
        return found


def readable(seen: Sequence[InputFile]) -> NDArray[np.int64]:
    """Rows of the files that could be read."""
    return np.array([row for row, each in enumerate(seen) if not each.reason], np.int64)
