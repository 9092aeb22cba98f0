"""How many out-of-distribution images pass the gate of a model, and of how many the model is sure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import joblib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_images

from cxr.audit.gate import Gate, fit_gate
from cxr.audit.regions import Images
from cxr.audit.subject import Subject, TrainedModel, score_made
from cxr.evaluation.estimates import Estimate, proportion
from cxr.model.freeze import POOLED

SURE = 0.9  # probability of a class from which the model counts as sure


@dataclass(frozen=True)
class GateTrial:
    """One kind of images: the share that passes, and the share that the model takes for a class with `SURE` or more."""

    kind: str
    passed: Estimate
    confident: Estimate


def gate_trials(
    subject: Subject, pooled: NDArray[np.float32], gate: Gate | None, model: TrainedModel, rows: NDArray[np.int64]
) -> list[GateTrial]:
    """How many of each kind of images pass the gate; without one it is fitted on half of the images.

    Args:
        pooled: (n, channels), of the whole images.
        rows: (k,), of which the kinds are made.
    """
    if gate is None:
        own = np.arange(len(pooled)) % 2 == 0
        gate, rows = fit_gate(pooled[own], subject.labels[own], pooled[~own]), rows[~own[rows]]
    if gate is None or not len(rows):
        return []
    images, trials = subject.images[rows], []
    content = str(joblib.hash(images))
    for kind, make in OUT_OF_DISTRIBUTION.items():
        if gate.layer == POOLED:
            probabilities, features = score_made(model, partial(make, images), content, f"odd: {kind}")
        else:
            made = make(images)
            probabilities, features = model.score(made)[0], model.features(made, gate.layer)
        passed, sure = int(gate.passes(features).sum()), int((probabilities.max(axis=1) >= SURE).sum())
        trials.append(GateTrial(kind, proportion(passed, len(rows), ""), proportion(sure, len(rows), "")))
    return trials


def _noise(images: Images) -> Images:
    return np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)


def _flat(images: Images) -> Images:
    return np.broadcast_to(np.linspace(20, 235, len(images)).astype(np.uint8)[:, None, None, None], images.shape).copy()


def _text(images: Images) -> Images:
    pages = []
    for number in range(len(images)):
        page = Image.new("L", (160, 160), 255)
        ImageDraw.Draw(page).multiline_text((8, 8), "\n".join(f"Finding {number + line}: none" for line in range(10)), fill=0)
        pages.append(np.asarray(page.resize((images.shape[2], images.shape[1]))))
    return np.stack(pages)[..., None]


def _photographs(images: Images) -> Images:
    """Cuts of two colour photographs that scikit-learn ships, in grey."""
    rng, size, cuts = np.random.default_rng(0), images.shape[1], []
    photographs = [Image.fromarray(photograph).convert("L") for photograph in load_sample_images().images]
    for number in range(len(images)):
        whole = photographs[number % len(photographs)]
        side = int(rng.integers(200, min(whole.size)))
        left, upper = (int(rng.integers(0, length - side + 1)) for length in whole.size)
        cuts.append(np.asarray(whole.crop((left, upper, left + side, upper + side)).resize((size, size))))
    return np.stack(cuts)[..., None]


def _limbs(images: Images) -> Images:
    """Drawings like X-rays of a limb: two bones in soft tissue."""
    rng, size, drawings = np.random.default_rng(0), images.shape[1], []
    for _ in images:
        page = Image.new("L", (size, size), int(rng.integers(5, 40)))
        draw, middle, wide = ImageDraw.Draw(page), size * rng.uniform(0.4, 0.6), size * rng.uniform(0.16, 0.26)
        draw.rectangle((middle - wide, 0, middle + wide, size), fill=int(rng.integers(70, 120)))
        for side in (-0.5, 0.5):
            bone = middle + side * wide
            draw.rectangle((bone - wide / 5, 0, bone + wide / 5, size), fill=int(rng.integers(170, 240)))
        drawings.append(np.asarray(page.filter(ImageFilter.GaussianBlur(size / 60)).rotate(rng.uniform(-20, 20))))
    return np.stack(drawings)[..., None]


def _enlarged(images: Images) -> Images:
    size = images.shape[1]
    edge = size // 4
    cut = (edge, edge, size - edge, size - edge)
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size), box=cut)) for image in images[..., 0]])[..., None]


# Kinds of out-of-distribution images, each made of as many images as it is given; the first is the control.
OUT_OF_DISTRIBUTION: dict[str, Callable[[Images], Images]] = {
    "as they are": lambda images: images,
    "noise": _noise,
    "flat grey": _flat,
    "text": _text,
    "photographs": _photographs,
    "a limb": _limbs,
    "inverted": lambda images: 255 - images,
    "turned by 90 degrees": lambda images: np.ascontiguousarray(np.rot90(images, axes=(1, 2))),
    "upside down": lambda images: np.ascontiguousarray(images[:, ::-1]),
    "mirrored": lambda images: np.ascontiguousarray(images[:, :, ::-1]),
    "the inner half enlarged": _enlarged,
}
