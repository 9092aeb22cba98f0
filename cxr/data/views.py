"""Images as a network gets them: grey levels, under a drawn view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.backgrounds import Backgrounds
from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.warp import moved


@dataclass(frozen=True)
class Viewer:
    """Decoded images (n, size, size, 1) uint8 with their pixel hashes, and how they are augmented.

    `backgrounds` are those that lungs are put on, where the augmentation does so.
    """

    images: Rows
    hashes: Sequence[str]
    augment: AugmentConfig
    seed: int
    backgrounds: Backgrounds | None = None

    def see(self, rows: NDArray[np.int64], view: int | None) -> NDArray[np.float32]:
        """Images under a numbered view, or unchanged, (n, size, size, 1), 0 to 255.

        Args:
            rows: (n,).
        """
        images = self.images[rows]
        if view is None:
            return images.astype(np.float32)
        drawn = draw_views(self.augment, images.shape[1], self.seed, view, [self.hashes[row] for row in rows])
        if drawn.onto is not None:
            assert self.backgrounds is not None
            images = self.backgrounds.put(images.astype(np.float32), rows, drawn.onto)
        images = moved(images, drawn)
        for change in drawn.pixels:
            images = change(images)
        return np.asarray(np.clip(images, 0, 255), np.float32) if drawn.pixels or drawn.exposes else images
