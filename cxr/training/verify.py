"""The check that the saved model gives the logged predictions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.config.schema import Config
from cxr.data.parts import Part
from cxr.model.saved import load_model
from cxr.training.history import Verified

# Largest difference in a probability that rounding explains, by training.precision.
_TOLERANCES = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}

ByPart = dict[Part, NDArray[np.float64]]  # part of the split: probabilities (rows of the part, classes)


def verify(
    model: Path, images: Rows, rows: Mapping[Part, NDArray[np.int64]], predicted: ByPart, config: Config
) -> tuple[ByPart, Verified]:
    """Predict `evaluation.verified_images` of the held-out rows, spread evenly, with the saved model.

    Args:
        rows: (n,) of each part.
        predicted: (n, classes) of each part.

    Returns:
        The predictions if they agree, else the saved model's predictions of every image.
    """
    parts = np.concatenate([rows[part] for part in predicted])
    probabilities = np.concatenate(list(predicted.values()))
    count = min(config.evaluation.verified_images or len(parts), len(parts))
    chosen = np.linspace(0, len(parts) - 1, count).round().astype(np.int64)
    saved = load_model(model)

    def predict(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        at_once = config.evaluation.batch_size
        pieces = [chosen[start : start + at_once] for start in range(0, len(chosen), at_once)]
        return np.concatenate([saved.probabilities(images[piece].astype(np.float32)) for piece in pieces])

    largest = float(np.abs(predict(parts[chosen]) - probabilities[chosen]).max())
    verified = Verified(count, largest, _TOLERANCES[config.training.precision])
    return (predicted if verified.agreed else {part: predict(rows[part]) for part in predicted}), verified
