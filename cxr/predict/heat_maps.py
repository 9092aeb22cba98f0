"""Heat maps of answered images: where the network saw the class that it called."""

from pathlib import Path

import numpy as np
from PIL import Image

from cxr.errors import writing
from cxr.evaluation.figures.pictures import heat_map
from cxr.predict.answer import Answer
from cxr.predict.predictor import AnsweredFiles, Predictor
from cxr.text import slug


def write_heat_maps(folder: Path, answerer: Predictor, chunk: AnsweredFiles) -> None:
    """Write a PNG for each image of a chunk that got a class: the image, and beside it the same with its Grad-CAM."""
    rows = [row for row, answer in enumerate(chunk.answers) if answer.called]
    if not rows:
        return
    classes = [answerer.model.decisions.classes.index(chunk.answers[row].called) for row in rows]
    maps = answerer.saliency(chunk.images[rows], np.array(classes, np.int64))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for row, one in zip(rows, maps, strict=True):
            Image.fromarray(heat_map(chunk.images[row], one)).save(folder / file_name(chunk.answers[row]))


def file_name(answer: Answer) -> str:
    """The name of the file with an answer's heat map: readable, safe on every system, and another for other content."""
    return f"{slug(Path(answer.path).stem)[:60]}-{answer.sha256[:12]}.png"
