"""Views of an image and its lung mask, for what the network will meet: children, other exposures, tubes, text, opacities."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_LETTERS = list("LRAPERECTPORTABLE0123456789")


def view(image: Image.Image, mask: Image.Image, side: int, random: np.random.Generator) -> tuple[NDArray, NDArray]:
    """A square view: grey levels (side, side, 1) uint8, and True in the lungs, (side, side, 1)."""
    places = _placing(image.size, side, random)
    fill = 0 if random.random() < 0.7 else int(random.integers(0, 256))
    square = image.transform((side, side), Image.Transform.AFFINE, places, Image.Resampling.BILINEAR, fillcolor=fill)
    lungs = np.asarray(mask.transform((side, side), Image.Transform.AFFINE, places, Image.Resampling.BILINEAR)) > 127
    if random.random() < 0.3:
        small = int(side * random.uniform(0.3, 0.8))
        square = square.resize((small, small), Image.Resampling.BILINEAR).resize((side, side), Image.Resampling.BILINEAR)
    _draw_tubes_and_text(square, random)
    grey = np.asarray(square, np.float32) / 255
    grey = _exposed(_opacified(grey, lungs, random), random)
    if random.random() < 0.2:
        grey = _collimated(grey, random)
    return np.uint8(255 * np.clip(grey, 0, 1))[..., None], lungs[..., None]


def _placing(size: tuple[int, int], side: int, random: np.random.Generator) -> tuple[float, ...]:
    """What an image is turned, sheared, stretched, mirrored and shifted by, as Pillow takes it: from the view to the image."""
    angle = np.deg2rad(random.normal(0, 7))
    across = random.uniform(0.8, 1.35)
    along = across * np.exp(random.normal(0, 0.12))
    turned = np.array([[np.cos(angle), -np.sin(angle) + random.normal(0, 0.06)], [np.sin(angle), np.cos(angle)]])
    mirrored = -1 if random.random() < 0.5 else 1
    matrix = np.diag(np.array(size) / side) @ turned @ np.diag([across * mirrored, along])
    middle = np.array(size) * (0.5 + random.normal(0, 0.05, 2))
    shift = middle - matrix @ np.array([side / 2, side / 2])
    return (*matrix[0], shift[0], *matrix[1], shift[1])


def _draw_tubes_and_text(square: Image.Image, random: np.random.Generator) -> None:
    draw, side = ImageDraw.Draw(square), square.width
    for _ in range(random.integers(1, 4) if random.random() < 0.35 else 0):
        start, one, other, end = random.uniform(0, side, (4, 2))
        t = np.linspace(0, 1, 30)[:, None]
        curve = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * one + 3 * t**2 * (1 - t) * other + t**3 * end
        draw.line([tuple(point) for point in curve], fill=int(random.integers(120, 256)), width=int(random.integers(1, 4)))
    for _ in range(random.integers(1, 4) if random.random() < 0.35 else 0):
        text = "".join(random.choice(_LETTERS, int(random.integers(1, 9))))
        place = tuple(random.uniform(0, side * 0.9, 2))
        draw.text(place, text, fill=int(random.integers(160, 256)), font_size=int(random.integers(8, 22)))


def _opacified(grey: NDArray, lungs: NDArray, random: np.random.Generator) -> NDArray:
    """Soft bright spots with their centres in the lungs, as pneumonia makes them."""
    rows, columns = np.nonzero(lungs)
    if not len(rows) or random.random() > 0.35:
        return grey
    side = len(grey)
    y, x = np.mgrid[0:side, 0:side] / side
    bright = np.quantile(grey, 0.9)
    for _ in range(random.integers(1, 4)):
        place, (high, wide) = random.integers(len(rows)), random.uniform(0.05, 0.2, 2)
        spot = np.exp(-(((x - columns[place] / side) / wide) ** 2) - ((y - rows[place] / side) / high) ** 2)
        grey = grey + random.uniform(0.1, 0.6) * spot * np.maximum(bright - grey, 0)
    return grey


def _exposed(grey: NDArray, random: np.random.Generator) -> NDArray:
    """Another gamma, contrast and brightness; at times a histogram half evened out, and noise."""
    grey = np.clip(grey, 0, 1) ** np.exp(random.normal(0, 0.35))
    grey = grey * random.uniform(0.5, 1.1) + random.uniform(0, 0.25) * random.random()
    if random.random() < 0.15:
        grey = 0.5 * grey + 0.5 * np.searchsorted(np.sort(grey.ravel()), grey) / grey.size
    if random.random() < 0.3:
        grey = grey + random.normal(0, random.uniform(0, 0.06), grey.shape)
    return grey


def _collimated(grey: NDArray, random: np.random.Generator) -> NDArray:
    side, level = len(grey), 0 if random.random() < 0.8 else 1
    top, bottom, left, right = (random.uniform(0, 0.12, 4) * side).astype(int)
    framed = np.full_like(grey, level)
    inside = slice(top, side - bottom), slice(left, side - right)
    framed[inside] = grey[inside]
    return framed
