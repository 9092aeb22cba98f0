"""A gate for images unlike those that a model knows: a limit of the Mahalanobis distance of their features.

After Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples" (2018, section 2.1), with the covariance
of probabilistic principal components (Tipping and Bishop 1999), which few images determine and a small file holds.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from cxr.cache.memoized import memoized_by_content
from cxr.evaluation.shift import GATE_PASSING
from cxr.model.freeze import POOLED

LEAST = 30  # images to fit on, and images for the limit, below which there is no gate
_COMPONENTS = 64  # principal ones


@dataclass(frozen=True)
class Gate:
    """A Gaussian for each class, with one covariance; `limit` is the largest squared distance that passes.

    `lungs` is the share of validation images in which lungs were found; -1 in models of before version 0.3. Where it is less than
    `GATE_PASSING`, the images are of a kind that the network which finds lungs does not know, and no image is turned away by it.
    `layer` is the one whose features are meant. Features that training changed may no longer separate out-of-distribution images
    from others: a network that learned to overlook noise, exposure and sharpness gives noise the features of a chest.
    """

    means: NDArray[np.float32]  # (classes, channels)
    components: NDArray[np.float32]  # (k, channels), of length 1
    variances: NDArray[np.float32]  # (k,), along the components
    rest: float  # the variance along all other directions
    limit: float
    layer: str
    lungs: float = -1.0

    @property
    def needs_lungs(self) -> bool:
        """Whether an image without lungs is unlike those that the model knows."""
        return self.lungs >= GATE_PASSING

    def distances(self, pooled: NDArray[np.floating]) -> NDArray[np.float64]:
        """The squared distance of each image to the nearest class, (n,).

        Args:
            pooled: (n, channels).
        """
        apart = pooled.astype(np.float64)[:, None] - self.means
        along = apart @ self.components.T
        beside = np.maximum((apart**2).sum(axis=2) - (along**2).sum(axis=2), 0)
        return np.asarray(((along**2 / self.variances).sum(axis=2) + beside / self.rest).min(axis=1))

    def passes(self, pooled: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each image passes, (n,).

        Args:
            pooled: (n, channels).
        """
        return np.asarray(self.distances(pooled) <= self.limit)


@memoized_by_content(lambda known, labels, others, layer=POOLED: (known, labels, others, layer), most=4)
def fit_gate(
    known: NDArray[np.floating], labels: NDArray[np.int64], others: NDArray[np.floating], layer: str = POOLED
) -> Gate | None:
    """Fit on known images; the limit lets `GATE_PASSING` of `others` pass.

    None with too few of either, or where all images are alike.

    Args:
        known: features (n, channels).
        labels: (n,), the class of each.
        others: features (k, channels).
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
    """Read a gate; nothing in the file is run.

    Raises:
        ValueError, KeyError, OSError: The file holds no gate.
    """
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("means", "components", "variances")}
        lungs = float(file["lungs"]) if "lungs" in file else -1.0
        gate = Gate(**arrays, rest=float(file["rest"]), limit=float(file["limit"]), layer=str(file["layer"]), lungs=lungs)
    shapes = gate.means.shape[1:], gate.variances.shape + gate.means.shape[1:]
    if gate.means.ndim != 2 or shapes != (gate.components.shape[1:], gate.components.shape):
        raise ValueError("its arrays do not fit each other")
    numbers = np.concatenate([*(array.ravel() for array in arrays.values()), [gate.rest, gate.limit, gate.lungs]])
    if not np.isfinite(numbers).all() or gate.rest <= 0 or not (gate.variances > 0).all():
        raise ValueError("it holds a number that is not finite, or no variance")  # nothing would be beyond such a limit
    return gate
