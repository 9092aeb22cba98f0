"""Heat maps of answered images: where the network saw the class that it called."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.errors import writing
from cxr.evaluation.figures.pictures import heat_map
from cxr.predict.answer import Answer
from cxr.predict.predictor import Predictor
from cxr.text import slug


def write_heat_maps(folder: Path, predictor: Predictor, answers: list[Answer], images: NDArray[np.uint8]) -> None:
    """Write a PNG for each image that got a class: the image, and beside it the same with Grad-CAM.

    Args:
        images: (n, size, size, 1).
    """
    rows = [row for row, answer in enumerate(answers) if answer.called]
    if not rows:
        return
    classes = [predictor.model.decisions.classes.index(answers[row].called) for row in rows]
    maps = predictor.saliency(images[rows], np.array(classes, np.int64))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for row, saliency in zip(rows, maps, strict=True):
            # Readable, safe on every system, and another name for other content.
            name = f"{slug(Path(answers[row].path).stem)[:60]}-{answers[row].sha256[:12]}.png"
            Image.fromarray(heat_map(images[row], saliency)).save(folder / name)
