"""The saved model of a run as an audit asks it. Loads TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.audit.regions import Images
from cxr.errors import UserError
from cxr.model.grad_cam import GradCam, grad_cam, saliency_maps
from cxr.model.saved import SavedModel, load_model


@dataclass(frozen=True)
class SavedTrainedModel:
    """A saved model, which gets `batch` images at once."""

    saved: SavedModel
    network: GradCam
    batch: int

    def score(self, images: Images) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities (n, classes) and pooled features (n, channels)."""
        starts = range(0, len(images), self.batch)
        found = [self.saved.probabilities_and_pooled(images[start : start + self.batch].astype(np.float32)) for start in starts]
        return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])

    def saliency(self, images: Images, classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """What of Grad-CAM is above 0: evidence for the class."""
        return np.maximum(saliency_maps(self.network, images, classes), 0)


def open_model(path: Path, batch: int) -> SavedTrainedModel:
    """Open the saved model; raises `UserError` for a file that is none, or has no feature map."""
    try:
        saved = load_model(path)
        return SavedTrainedModel(saved, grad_cam(saved), batch)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} can't be opened: {' '.join(str(error).split())}") from None
