"""Images as a network gets them: grey levels, under a drawn view."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.surroundings import Surroundings

# What moves images: another version may interpolate to other last digits. The first number counts changes of `Viewer.see`.
WARP = f"3, keras {metadata.version('keras')}, tensorflow {metadata.version('tensorflow')}"


@dataclass(frozen=True)
class Viewer:
    """Decoded images (n, size, size, 1) uint8 with their pixel hashes, and how they are augmented.

    `surroundings` are those that lungs are put on; an augmentation that asks for them needs them.
    """

    images: Rows
    hashes: Sequence[str]
    augment: AugmentConfig
    seed: int
    surroundings: Surroundings | None = None

    def see(self, rows: NDArray[np.int64], view: int | None) -> NDArray[np.float32]:
        """Grey levels 0..255 of the given rows under a numbered view, or unchanged: (len(rows), size, size, 1) float32."""
        seen = self.images[rows].astype(np.float32)
        if view is None:
            return seen
        drawn = draw_views(self.augment, seen.shape[1], self.seed, view, [self.hashes[row] for row in rows])
        if drawn.onto is not None:
            assert self.surroundings is not None
            seen = self.surroundings.put(seen, rows, drawn.onto)
        # Reflected edges, as in Keras' own layers: black edges would show a frozen backbone which images were moved.
        moved = keras.ops.image.affine_transform(seen, drawn.transforms, fill_mode="reflect", data_format="channels_last")
        seen = keras.ops.convert_to_numpy(moved)
        if (drawn.gain != 1).any() or drawn.offset.any():
            seen = (seen - 127.5) * drawn.gain[:, None, None, None] + 127.5 + drawn.offset[:, None, None, None]
        for change in drawn.pixels:
            seen = change(seen)
        return np.asarray(np.clip(seen, 0, 255), np.float32)
