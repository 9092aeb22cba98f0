"""A gate for images unlike those that a model knows: Mahalanobis distance of pooled features, and how many odd images pass it.

After Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples" (2018, section 2.1), with the covariance
of probabilistic principal components (Tipping and Bishop 1999), which few images determine and a small file holds.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA

from cxr.audit.region_scores import score_made
from cxr.audit.regions import Images
from cxr.audit.subject import TrainedModel
from cxr.cache.memoized import memoized_by_content
from cxr.evaluation.estimates import Estimate, proportion
from cxr.evaluation.shift import GATE_PASSING
from cxr.model.freeze import POOLED

SURE = 0.9  # probability of a class from which the model counts as sure
LEAST = 30  # images to fit on, and images for the limit, below which there is no gate
_COMPONENTS = 64  # principal ones


@dataclass(frozen=True)
class Gate:
    """A Gaussian for each class, with one covariance; `limit` is the largest squared distance that passes.

    `layer` is the one whose features are meant. What training changed may no longer tell odd images from others: a network that
    learned to overlook noise, exposure and sharpness gives noise the features of a chest.
    """

    means: NDArray[np.float32]  # (classes, channels)
    components: NDArray[np.float32]  # (k, channels), of length 1
    variances: NDArray[np.float32]  # (k,), along the components
    rest: float  # the variance along all other directions
    limit: float
    layer: str

    def distances(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """The squared distance of each image (n, channels) to the nearest class, (n,)."""
        apart = pooled.astype(np.float64)[:, None] - self.means
        along = apart @ self.components.T
        beside = np.maximum((apart**2).sum(axis=2) - (along**2).sum(axis=2), 0)
        return np.asarray(((along**2 / self.variances).sum(axis=2) + beside / self.rest).min(axis=1))

    def passes(self, pooled: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each image passes, (n,)."""
        return np.asarray(self.distances(pooled) <= self.limit)


@dataclass(frozen=True)
class GateTrial:
    """One kind of odd image: the share that passes, and the share that the model takes for a class with `SURE` or more."""

    kind: str
    passed: Estimate
    confident: Estimate


@memoized_by_content(lambda known, labels, others, layer=POOLED: (known, labels, others, layer), most=4)
def fit_gate(
    known: NDArray[np.floating], labels: NDArray[np.int64], others: NDArray[np.floating], layer: str = POOLED
) -> Gate | None:
    """Fit on features (n, channels) of known images with their classes; the limit lets `GATE_PASSING` of `others` pass.

    None with too few of either, or where all images are alike.
    """
    if len(known) < LEAST or len(others) < LEAST or not np.ptp(known, axis=0).any():
        return None
    classes = np.unique(labels)
    means = np.stack([known[labels == label].mean(axis=0) for label in classes]).astype(np.float32)
    centred = known.astype(np.float64) - means[np.searchsorted(classes, labels)]
    fitted = PCA(min(_COMPONENTS, len(known) // 4, known.shape[1] - 1), svd_solver="full").fit(centred)
    variances = np.maximum(fitted.explained_variance_, 1e-9)
    rest = float(max(fitted.noise_variance_, 1e-3 * variances.mean()))
    parts = means, fitted.components_.astype(np.float32), np.maximum(variances, rest).astype(np.float32), rest
    return Gate(
        *parts, limit=float(np.quantile(Gate(*parts, limit=np.inf, layer=layer).distances(others), GATE_PASSING)), layer=layer
    )


def write_gate(gate: Gate, path: Path) -> None:
    """Write a gate as arrays."""
    np.savez(path, **asdict(gate))


def read_gate(path: Path) -> Gate:
    """Read a gate; nothing in the file is run. Raises `ValueError`, `KeyError` or `OSError` for a file that holds none."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("means", "components", "variances")}
        gate = Gate(**arrays, rest=float(file["rest"]), limit=float(file["limit"]), layer=str(file["layer"]))
    shapes = gate.means.shape[1:], gate.variances.shape + gate.means.shape[1:]
    if gate.means.ndim != 2 or shapes != (gate.components.shape[1:], gate.components.shape):
        raise ValueError("its arrays do not fit each other")
    numbers = np.concatenate([*(array.ravel() for array in arrays.values()), [gate.rest, gate.limit]])
    if not np.isfinite(numbers).all() or gate.rest <= 0 or not (gate.variances > 0).all():
        raise ValueError("it holds a number that is not finite, or no variance")  # nothing would be beyond such a limit
    return gate


def gate_trials(images: Images, gate: Gate, model: TrainedModel) -> list[GateTrial]:
    """How many of each kind of odd image, made of `images`, pass the gate."""
    content = str(joblib.hash(images))
    return [_trial(kind, partial(make, images), content, gate, model) for kind, make in OUT_OF_DISTRIBUTION.items()]


def _trial(kind: str, make: Callable[[], Images], content: str, gate: Gate, model: TrainedModel) -> GateTrial:
    if gate.layer == POOLED:
        probabilities, features = score_made(model, make, content, f"odd: {kind}")
    else:
        images = make()
        probabilities, features = model.score(images)[0], model.features(images, gate.layer)
    sure = int((probabilities.max(axis=1) >= SURE).sum())
    passed = int(gate.passes(features).sum())
    return GateTrial(kind, proportion(passed, len(features), ""), proportion(sure, len(features), ""))


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


def _limbs(images: Images) -> Images:
    """Drawings like X-rays of a limb: two bones in soft tissue."""
    rng, size, found = np.random.default_rng(0), images.shape[1], []
    for _ in images:
        page = Image.new("L", (size, size), int(rng.integers(5, 40)))
        draw, middle, wide = ImageDraw.Draw(page), size * rng.uniform(0.4, 0.6), size * rng.uniform(0.16, 0.26)
        draw.rectangle((middle - wide, 0, middle + wide, size), fill=int(rng.integers(70, 120)))
        for side in (-0.5, 0.5):
            bone = middle + side * wide
            draw.rectangle((bone - wide / 5, 0, bone + wide / 5, size), fill=int(rng.integers(170, 240)))
        found.append(np.asarray(page.filter(ImageFilter.GaussianBlur(size / 60)).rotate(rng.uniform(-20, 20))))
    return np.stack(found)[..., None]


def _enlarged(images: Images) -> Images:
    size = images.shape[1]
    edge = size // 4
    cut = (edge, edge, size - edge, size - edge)
    return np.stack([np.asarray(Image.fromarray(each).resize((size, size), box=cut)) for each in images[..., 0]])[..., None]


# Kinds of odd images, each made of as many images as it is given.
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
