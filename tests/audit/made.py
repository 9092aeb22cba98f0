"""Subjects of audits made of phantoms or of noise, and models that need no library."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.audit.regions import Images
from cxr.audit.subject import Subject

CLASSES = ("COVID", "Normal", "Viral Pneumonia")


class MeanModel:
    """Its features are the mean grey levels of a grid of cells; the first and the last one are scores of classes."""

    body: str | None = None

    def __init__(self, cells: int = 6) -> None:
        self.cells = cells

    def head(self, pooled: NDArray[np.float32]) -> NDArray[np.float64]:
        logits = np.stack([pooled[:, 0], np.full(len(pooled), 0.5), pooled[:, -1]], axis=1).astype(np.float64) * 10
        shares = np.exp(logits)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def score(self, images: Images) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        n, size = images.shape[:2]
        cells = images.reshape(n, self.cells, size // self.cells, self.cells, -1).mean(axis=(2, 4)).reshape(n, -1) / 255
        pooled = cells.astype(np.float32)
        return self.head(pooled), pooled

    def features(self, images: Images, layer: str) -> NDArray[np.float32]:
        return self.score(images)[1]

    def saliency(self, images: Images, classes: NDArray[np.int64]) -> NDArray[np.float32]:
        maps = np.zeros((len(images), 4, 4), np.float32)
        maps[:, 0, 0] = 1
        return maps


def noise(count: int = 120, size: int = 48, classes: int = 3, seed: int = 0) -> Subject:
    """Images of noise, whose lungs are the middle, and labels in turn."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, size, size, 1)).astype(np.uint8)
    masks = np.zeros((count, size, size), bool)
    masks[:, size // 4 : -size // 4, size // 4 : -size // 4] = True
    labels = np.arange(count) % classes
    names = [f"{row}.png" for row in range(count)]
    manifest = pd.DataFrame({"path": names, "label": labels.astype(str), "group": names, "source": "", "mode": "L"})
    manifest[["width", "height", "blocks_across", "blocks_down"]] = size, size, 0.0, 0.0
    return Subject(CLASSES[:classes], images, masks, "made up", labels, manifest, np.arange(count) % 2 == 0)
