"""What small changes of an image do to the trained model's predictions: covered corners and edges, exposure, crop, rotation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import joblib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from cxr.audit.regions import Images, filled, marks_in
from cxr.audit.subject import TrainedModel, score_made
from cxr.evaluation.estimates import Estimate, proportion


@dataclass(frozen=True)
class ChangeEffect:
    """One change: the share of images whose predicted class is another one, and the mean change of that class' probability."""

    name: str
    flipped: Estimate
    moved: float
    towards: str  # the class that flipped images are taken for most often; "" without any


@dataclass(frozen=True)
class Flip:
    """An image that a change makes another class: its row, and the class and its probability before and after."""

    change: str
    row: int
    before: str
    after: str
    probability_before: float
    probability_after: float


def change_effects(images: Images, model: TrainedModel, classes: tuple[str, ...]) -> tuple[list[ChangeEffect], list[Flip]]:
    """The effect of each of `CHANGES` on its own, worst first; for each that flips an image, the one it flips most clearly.

    Args:
        images: (n, size, size, 1).
    """
    if not len(images):
        return [], []
    content = str(joblib.hash(images))
    before, _ = score_made(model, lambda: images, content, "unchanged")
    own, rows = before.argmax(axis=1), np.arange(len(images))
    effects, flips = [], dict[str, Flip]()
    for name, change in CHANGES.items():
        after, _ = score_made(model, partial(change, images), content, f"change: {name}")
        now = after.argmax(axis=1)
        counts = np.bincount(now[now != own], minlength=len(classes))
        flipped = proportion(int(counts.sum()), len(images), "there are no images")
        moved = float(np.abs(after[rows, own] - before[rows, own]).mean())
        effects.append(ChangeEffect(name, flipped, moved, classes[int(counts.argmax())] if counts.any() else ""))
        if counts.any():
            row = int(np.where(now != own, after.max(axis=1), -1).argmax())
            pair = classes[own[row]], classes[now[row]]
            flips[name] = Flip(name, row, *pair, float(before[row].max()), float(after[row].max()))
    worst = sorted(effects, key=lambda effect: (-(effect.flipped.value or 0), -effect.moved, effect.name))
    return worst, [flips[effect.name] for effect in worst if effect.name in flips]


def _without_marks(images: Images) -> Images:
    """Small bright marks, with a rim, filled from what is around them."""
    return filled(images, binary_dilation(marks_in(images), np.ones((1, 3, 3))), "surroundings", np.random.default_rng(0))


def _covered(rows: tuple[float, float], columns: tuple[float, float]) -> Callable[[Images], Images]:
    """Cover rows and columns between two shares of the side; they are filled from what is around them."""

    def cover(images: Images) -> Images:
        top, bottom, left, right = (round(end * images.shape[1]) for end in (*rows, *columns))
        where = np.zeros(images.shape[:3], bool)
        where[:, top:bottom, left:right] = True
        return filled(images, where, "surroundings", np.random.default_rng(0))

    return cover


def _levels(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[[Images], Images]:
    """A change of grey levels from 0 to 1."""
    table = np.asarray(np.round(255 * np.clip(change(np.arange(256) / 255), 0, 1)), np.uint8)
    return lambda images: table[images]


def _moved(degrees: float, crop: float) -> Callable[[Images], Images]:
    def move(images: Images) -> Images:
        size, edge = images.shape[1], round(images.shape[1] * crop)
        moved = []
        for image in images[..., 0]:
            turned = Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=int(image[0].mean()))
            moved.append(np.asarray(turned.resize((size, size), Image.Resampling.BILINEAR, (edge, edge, size - edge, size - edge))))
        return np.stack(moved)[..., None]

    return move


_ALL, _NEAR, _FAR, _EDGE, _EDGE_FAR = (0, 1), (0, 0.25), (0.75, 1), (0, 0.1), (0.9, 1)  # shares of the side
# Each change by a description of what it does.
CHANGES: dict[str, Callable[[Images], Images]] = {
    "upper left corner covered": _covered(_NEAR, _NEAR),
    "upper right corner covered": _covered(_NEAR, _FAR),
    "lower left corner covered": _covered(_FAR, _NEAR),
    "lower right corner covered": _covered(_FAR, _FAR),
    "upper edge covered": _covered(_EDGE, _ALL),
    "lower edge covered": _covered(_EDGE_FAR, _ALL),
    "left edge covered": _covered(_ALL, _EDGE),
    "right edge covered": _covered(_ALL, _EDGE_FAR),
    "text-like marks inpainted": _without_marks,
    "brighter (gamma 0.8)": _levels(lambda grey: grey**0.8),
    "darker (gamma 1.25)": _levels(lambda grey: grey**1.25),
    "less contrast (80 %)": _levels(lambda grey: 0.5 + 0.8 * (grey - 0.5)),
    "more contrast (125 %)": _levels(lambda grey: 0.5 + 1.25 * (grey - 0.5)),
    "cropped by 5 %": _moved(0, 0.05),
    "turned by 5 degrees": _moved(5, 0),
    "turned by -5 degrees": _moved(-5, 0),
}
