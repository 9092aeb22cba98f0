"""What a model says of images that are made for it; pooled features of a frozen backbone are computed once for all its runs."""

from collections.abc import Callable

import joblib
import numpy as np
from numpy.typing import NDArray

from cxr.audit.regions import Images
from cxr.audit.subject import Subject, TrainedModel
from cxr.cache.memoized import memoized_by_content


def content_of(subject: Subject) -> str:
    """A hash of all that views of a subject are made of."""
    return str(joblib.hash((subject.images, subject.masks, subject.labels, subject.manifest["group"].to_numpy(str))))


def score_made(model: TrainedModel, make: Callable[[], Images], *content: str) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities (n, classes) and pooled features (n, channels) of the images that `make` gives.

    `content` names what they are made of and how. Where the backbone is that of other runs too, images that were made before are
    not made again.
    """
    if model.body is None:
        return model.score(make())
    pooled = _pooled(model, make, (model.body, *content))
    return model.head(pooled), pooled


@memoized_by_content(lambda model, make, content: content, most=64)
def _pooled(model: TrainedModel, make: Callable[[], Images], content: tuple[str, ...]) -> NDArray[np.float32]:
    return model.score(make())[1]
