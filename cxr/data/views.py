"""Images as a network sees them: grey levels, under the view that is drawn for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views

# All that decides, beside the pixels and what is asked for, what a view is; the first number counts changes of the drawing.
MOVER = f"1, keras {metadata.version('keras')}, tensorflow {metadata.version('tensorflow')}"


@dataclass(frozen=True)
class Viewer:
    """ImageFacts images (n, size, size, 1) uint8 with their pixel hashes, and how they may be moved."""

    images: Rows
    hashes: Sequence[str]
    augment: AugmentConfig
    seed: int

    def see(self, rows: NDArray[np.int64], view: int | None) -> NDArray[np.float32]:
        """Grey levels 0..255 of the given rows under a numbered view, or as they are: (len(rows), size, size, 1) float32."""
        seen = self.images[rows].astype(np.float32)
        if view is None:
            return seen
        drawn = draw_views(self.augment, seen.shape[1], self.seed, view, [self.hashes[row] for row in rows])
        # Reflected edges, as Keras' own layers have them: black ones would tell a frozen backbone which images were moved.
        moved = keras.ops.image.affine_transform(seen, drawn.transforms, fill_mode="reflect", data_format="channels_last")
        seen = keras.ops.convert_to_numpy(moved)
        if self.augment.brightness or self.augment.contrast:
            seen = (seen - 127.5) * drawn.gain[:, None, None, None] + 127.5 + drawn.offset[:, None, None, None]
        return np.asarray(np.clip(seen, 0, 255), np.float32)
