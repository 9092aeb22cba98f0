"""A gate for images unlike those that a model knows: Mahalanobis distance of pooled features, and how many odd images pass it.

After Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples" (2018, section 2.1), with a shrunk
covariance (Ledoit and Wolf 2004).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_sample_images

from cxr.audit.regions import Images
from cxr.audit.subject import TrainedModel
from cxr.evaluation.estimates import Estimate, proportion

PASSING = 0.95  # share of images that the gate knows nothing of, and lets pass
_TRIED = 60  # images of each odd kind
_LEAST = 60  # images, below which no gate is fitted


@dataclass(frozen=True)
class Gate:
    """A Gaussian for each class, with one covariance; `limit` is the largest squared distance that passes."""

    means: NDArray[np.float64]  # (classes, channels)
    precision: NDArray[np.float64]  # (channels, channels)
    limit: float

    def distances(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """The squared distance of each image (n, channels) to the nearest class, (n,)."""
        apart = pooled.astype(np.float64)[:, None] - self.means
        return np.asarray(np.einsum("ncd,de,nce->nc", apart, self.precision, apart, optimize=True).min(axis=1))

    def passes(self, pooled: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each image passes, (n,)."""
        return np.asarray(self.distances(pooled) <= self.limit)


@dataclass(frozen=True)
class GateTrial:
    """One kind of odd image: the share that passes, and the share that the model takes for a class with at least 90 %."""

    kind: str
    passed: Estimate
    confident: Estimate


def fit_gate(pooled: NDArray[np.floating], labels: NDArray[np.int64], own: NDArray[np.bool_]) -> Gate:
    """Fit on the images that are `own`; the limit lets 95 % of all others pass. A class needs an image among its own."""
    classes = np.unique(labels[own])
    means = np.stack([pooled[own & (labels == label)].mean(axis=0) for label in classes]).astype(np.float64)
    centred = pooled[own] - means[np.searchsorted(classes, labels[own])]
    precision = LedoitWolf(assume_centered=True).fit(centred.astype(np.float64)).get_precision()
    unlimited = Gate(means, precision, np.inf)
    return Gate(means, precision, float(np.quantile(unlimited.distances(pooled[~own]), PASSING)))


def gate_trials(images: Images, pooled: NDArray[np.floating], labels: NDArray[np.int64], model: TrainedModel) -> list[GateTrial]:
    """How many of each kind of odd image pass a gate that is fitted on every other image; none with too few images."""
    own = np.arange(len(images)) % 2 == 0
    if len(images) < _LEAST or set(labels[own]) != set(labels):
        return []
    gate, some = fit_gate(pooled, labels, own), images[1::2][:_TRIED]
    return [_trial(kind, make(some), gate, model) for kind, make in ODD.items()]


def _trial(kind: str, images: Images, gate: Gate, model: TrainedModel) -> GateTrial:
    probabilities, pooled = model.score(images)
    sure = int((probabilities.max(axis=1) >= 0.9).sum())
    passed = int(gate.passes(pooled).sum())
    return GateTrial(kind, proportion(passed, len(images), ""), proportion(sure, len(images), ""))


def _noise(images: Images) -> Images:
    return np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)


def _flat(images: Images) -> Images:
    return np.broadcast_to(np.linspace(20, 235, len(images)).astype(np.uint8)[:, None, None, None], images.shape).copy()


def _text(images: Images) -> Images:
    found = []
    for number in range(len(images)):
        page = Image.new("L", (160, 160), 255)
        ImageDraw.Draw(page).multiline_text((8, 8), "\n".join(f"Finding {number + line}: none" for line in range(10)), fill=0)
        found.append(np.asarray(page.resize((images.shape[2], images.shape[1]))))
    return np.stack(found)[..., None]


def _photographs(images: Images) -> Images:
    """Cuts of two colour photographs that scikit-learn ships, in grey."""
    rng, size, found = np.random.default_rng(0), images.shape[1], []
    photographs = [Image.fromarray(each).convert("L") for each in load_sample_images().images]
    for number in range(len(images)):
        whole = photographs[number % len(photographs)]
        side = int(rng.integers(200, min(whole.size)))
        left, upper = (int(rng.integers(0, length - side + 1)) for length in whole.size)
        found.append(np.asarray(whole.crop((left, upper, left + side, upper + side)).resize((size, size))))
    return np.stack(found)[..., None]


def _enlarged(images: Images) -> Images:
    size = images.shape[1]
    edge = size // 4
    cut = (edge, edge, size - edge, size - edge)
    return np.stack([np.asarray(Image.fromarray(each).resize((size, size), box=cut)) for each in images[..., 0]])[..., None]


# Kinds of odd images, each made of as many images as it is given.
ODD: dict[str, Callable[[Images], Images]] = {
    "as they are": lambda images: images,
    "noise": _noise,
    "flat grey": _flat,
    "text": _text,
    "photographs": _photographs,
    "inverted": lambda images: 255 - images,
    "turned by 90 degrees": lambda images: np.ascontiguousarray(np.rot90(images, axes=(1, 2))),
    "upside down": lambda images: np.ascontiguousarray(images[:, ::-1]),
    "mirrored": lambda images: np.ascontiguousarray(images[:, :, ::-1]),
    "the inner half enlarged": _enlarged,
}
