"""The layer that prepared images in models of before version 0.3, which found lungs by an atlas; it is read, and no longer made."""

from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from cxr.anatomy.lung_atlas import FITTED_AT, MIDDLE, contrasts, placings, shrinking
from cxr.config.schema import PrepareConfig
from cxr.model.preprocessing import MARGINS, apply_steps

_SOFT, _STEEP = 6.0, 20.0  # how steeply masks end


@keras.saving.register_keras_serializable(package="cxr", name="Preparation")  # its name in stored models
class StoredPreprocessing(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Grey levels (n, size, size, 3) in 0..255, three times the same, to prepared ones of the same shape."""

    def __init__(self, settings: dict[str, Any], **more: Any) -> None:
        super().__init__(**({"name": "prepared", "dtype": "float32", "trainable": False} | more))
        self.settings = PrepareConfig(**settings)

    def get_config(self) -> dict[str, Any]:
        """What Keras saves."""
        return {**super().get_config(), "settings": asdict(self.settings)}

    def call(self, grey: Any) -> Any:
        """Prepare grey levels (n, size, size, 3), float32."""
        lungs = AtlasLungs.found_in(grey) if self.settings.needs_lungs else None
        return ops.repeat(apply_steps(grey[..., 0], int(grey.shape[1]), self.settings, lungs)[..., None], 3, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the images, which stays."""
        return input_shape

    def frames(self, grey: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Left, top, right and bottom of what the crop leaves of images, (n, 4), as shares of the side; None without a crop.

        Args:
            grey: (n, size, size, 3), 0 to 255.
        """
        crop = self.settings.crop
        return None if crop == "none" else np.asarray(AtlasLungs.found_in(ops.convert_to_tensor(grey)).boxes(crop))


@dataclass(frozen=True)
class AtlasLungs:
    """Lungs by the placing of the atlas, (n, 5)."""

    placing: Any
    size: int

    @staticmethod
    def found_in(grey: Any) -> "AtlasLungs":
        """The best placing in each image; `grey` is (n, size, size, 3)."""
        size = int(grey.shape[1])
        shrink = ops.convert_to_tensor(shrinking(size))
        small = ops.matmul(ops.matmul(shrink, grey[..., 0]), ops.transpose(shrink))
        fits = ops.matmul(ops.reshape(small, (-1, FITTED_AT * FITTED_AT)), ops.convert_to_tensor(contrasts().T))
        table = np.array([[lung.apart, lung.width, lung.height, lung.right, lung.down] for lung in placings()], np.float32)
        best = ops.cast(fits >= ops.max(fits, axis=1, keepdims=True), "float32")  # OpenVINO can't convert argmax from Keras
        return AtlasLungs(ops.matmul(best / ops.sum(best, axis=1, keepdims=True), ops.convert_to_tensor(table)), size)

    def around(self, larger: float, soft: bool) -> Any:
        """As `Lungs` says."""
        axis = np.float32((np.arange(self.size) + 0.5) / self.size)
        apart, width, height, right, down = (self.placing[:, place][:, None, None] for place in range(5))
        x, y = ops.convert_to_tensor(axis)[None, None, :] - 0.5 - right, ops.convert_to_tensor(axis)[None, :, None] - MIDDLE - down
        radius = ops.square((ops.abs(x) - apart) / (width * larger)) + ops.square(y / (height * larger))
        return ops.sigmoid((_SOFT if soft else _STEEP) * (1 - radius))

    def boxes(self, crop: str) -> Any:
        """As `Lungs` says."""
        apart, width, height, right, down = (self.placing[:, place] for place in range(5))
        margin = MARGINS[crop]
        across, along = apart + width + margin, height + margin
        sides = ops.stack([0.5 + right - across, MIDDLE + down - along, 0.5 + right + across, MIDDLE + down + along], axis=1)
        return ops.clip(sides, 0.0, 1.0)
