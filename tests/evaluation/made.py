"""Simulated predictions for tests: of some skill, or of any kind that can occur."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from cxr.evaluation.bias_correction import corrected
from cxr.evaluation.predictions import Predictions

CLASSES = ("COVID", "Normal", "Viral Pneumonia")


def made(labels: NDArray[np.int64], probabilities: NDArray[np.float64], classes: tuple[str, ...] = CLASSES) -> Predictions:
    """Images called 000.png and so on."""
    return Predictions(tuple(f"{index:05d}.png" for index in range(len(labels))), classes, labels, probabilities)


def skilled(seed: int, count: int = 300, skill: float = 2.0, classes: tuple[str, ...] = CLASSES) -> Predictions:
    """A softmax classifier whose logits are normal around the truth; the first class is half as frequent as the others."""
    rng = np.random.default_rng(seed)
    share = np.ones(len(classes))
    share[0] = 0.5
    labels = rng.choice(len(classes), count, p=share / share.sum())
    logits = rng.normal(size=(count, len(classes)))
    logits[np.arange(count), labels] += skill
    odds = np.exp(1.5 * logits)
    return made(labels, odds / odds.sum(axis=1, keepdims=True), classes)


def distorted(count: int, shifts: tuple[float, ...], temperature: float, seed: int) -> Predictions:
    """Calibrated probabilities and labels drawn from them; then the probabilities are made biased and too extreme or too mild."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.5, (count, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return made(labels, corrected(p, temperature, tuple(-shift / temperature for shift in shifts)))


@st.composite
def any_predictions(draw: st.DrawFn, least_classes: int = 2, most_classes: int = 6) -> Predictions:
    """From one image to sixty, with ties, certainty, and classes that never occur."""
    count, classes = draw(st.integers(1, 60)), draw(st.integers(least_classes, most_classes))
    return _any(draw, count, classes)


@st.composite
def any_pairs(draw: st.DrawFn) -> tuple[Predictions, Predictions]:
    """Validation and test predictions of the same classes: from 2 to 20, the first two called COVID and Normal."""
    classes = draw(st.sampled_from([2, 3, 4, 20]))
    return _any(draw, draw(st.integers(1, 40)), classes), _any(draw, draw(st.integers(1, 40)), classes)


def _any(draw: st.DrawFn, count: int, classes: int) -> Predictions:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), (count, classes)) + draw(st.sampled_from([0, 1e-12, 1e-3]))
    scores[scores.sum(axis=1) == 0] = 1
    labels = rng.integers(0, draw(st.integers(1, classes)), count)
    if draw(st.booleans()):  # perfect
        scores = np.eye(classes)[labels] + 0.0
    names = ("COVID", "Normal", *(f"class {index}" for index in range(2, classes)))
    return made(labels, scores / scores.sum(axis=1, keepdims=True), names)
