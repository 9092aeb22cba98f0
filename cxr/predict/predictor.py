"""A model that answers: files as a stream, where a chunk is read while another is computed, or images. Loads TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.lung_network import lungs_in
from cxr.cache.rows import Rows
from cxr.data.images.parallel import AllCores
from cxr.evaluation.decisions import decide
from cxr.evaluation.operating_points import Rule
from cxr.model.freeze import POOLED
from cxr.predict.answer import Answer
from cxr.predict.model import RunModel
from cxr.predict.read import read_images
from cxr.text import slug
from cxr.training.engine import choose_engine, engine_version
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import open_model

_BY_THREADS = 500  # files up to which processes would take longer to start than they save


class Predictor:
    """A model, open. TensorFlow has to be prepared; raises `UserError` for a file that is no model."""

    def __init__(self, model: RunModel) -> None:
        self.model = model
        self._opened = open_model(model.file, model.config)
        self._slugs = [slug(name) for name in model.decisions.classes]

    @property
    def engine(self) -> str:
        """The library that computes, and its version."""
        return engine_version(choose_engine(self.model.config.engine, self.model.config.training.precision))

    def of_files(self, files: Sequence[str], rule: Rule, gated: bool) -> Iterator[tuple[list[Answer], NDArray[np.uint8]]]:
        """Chunks of answers in the order of the files, with their images (n, size, size, 1), black where a file can't be read.

        Memory does not grow with the number of files.
        """
        read = partial(read_images, size=self.model.facts.image_size, grey=self.model.facts.grey)
        with AllCores() as all_cores:
            for images, files_read in all_cores.map(read, files, few=_BY_THREADS):
                yield self.of_images(images, files_read, rule, gated), images

    def of_images(self, images: NDArray[np.uint8], files: Sequence[Answer], rule: Rule, gated: bool) -> list[Answer]:
        """The answers for n files that were read, or could not be.

        Args:
            images: (n, size, size, 1).
        """
        readable = [row for row, file in enumerate(files) if not file.reason]
        scored = self.score(images[readable], [files[row] for row in readable]) if readable else []
        return self.decide(files, scored, rule, gated)

    def score(self, images: NDArray[np.uint8], files: Sequence[Answer]) -> list[Answer]:
        """Probabilities, distance and flags of readable images; no image changes the result of another.

        Args:
            images: (n, size, size, 1).
        """
        model, gate = self.model, self.model.gate
        probabilities, features = self._opened.score_and_features(images, gate.layer if gate else POOLED)
        if model.facts.views > 1:
            hashes, rows = [file.pixels for file in files], np.arange(len(images))
            probabilities = mean_over_views(self._opened, Rows.of(images), hashes, rows, model.config)
        distances = gate.distances(features).tolist() if gate else [None] * len(files)
        kinds = model.orientation.kinds(images) if model.orientation else ["upright"] * len(files)
        lacks = lungs_in(images)[1] if gate and gate.needs_lungs else [""] * len(files)
        scored = []
        for file, row, distance, kind, without_lungs in zip(files, probabilities, distances, kinds, lacks, strict=True):
            flags = list(file.flags)
            if gate and not distance <= gate.limit:
                flags.append(f"unlike the images that the model knows ({distance / gate.limit:.1f} of the limit)")
            if kind != "upright":
                flags.append(f"the film seems {kind}")
            if without_lungs:
                flags.append(f"no lungs found: {without_lungs}")
            scored.append(replace(file, probabilities=self._by_slug(row), distance=distance, flags=flags))
        return scored

    def decide(self, files: Sequence[Answer], scored: Sequence[Answer], rule: Rule, gated: bool) -> list[Answer]:
        """The answers for files by an operating point, of which the readable ones were scored; if `gated`, none with flags."""
        decisions, answers = self.model.decisions, []
        if scored:
            probabilities = np.array([[answer.probabilities[name] for name in self._slugs] for answer in scored])
            decided = decide(decisions, probabilities, rule)
            for row, answer in enumerate(scored):
                answer = replace(answer, calibrated=self._by_slug(decided.calibrated[row]))
                if gated and answer.flags:
                    answers.append(replace(answer, reason=f"not answered: {'; '.join(answer.flags)}"))
                    continue
                names = [name for name, inside in zip(decisions.classes, decided.sets[row], strict=True) if inside]
                called = decisions.classes[decided.called[row]]
                answers.append(replace(answer, called=called, zone=decided.zones[row], conformal_set=names))
        of_readable = iter(answers)
        return [file if file.reason else next(of_readable) for file in files]

    def saliency(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grad-CAM, (n, rows, columns); values above 0 are evidence for the class.

        Args:
            images: (n, size, size, 1).
            classes: (n,), indices.
        """
        return self._opened.saliency(images, classes)

    def _by_slug(self, probabilities: NDArray[np.float64]) -> dict[str, float]:
        return dict(zip(self._slugs, map(float, probabilities), strict=True))
