"""What MLflow loads to serve an exported model: the same code and files as `cxr predict`. Loads TensorFlow."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr.config.schema import TrainingConfig
from cxr.errors import UserError
from cxr.predict.answer import Answer
from cxr.predict.micro_batcher import MicroBatcher
from cxr.predict.model import RunModel, read_exported
from cxr.predict.predictor import Predictor
from cxr.predict.read import InputFile, read_content
from cxr.training.runtime import prepare_tensorflow

_MOST_BYTES = 64 * 10**6  # of one image in a request, before base64
_AT_ONCE = 64  # images that are decoded at once


class Served:
    """Answers for rows of images: MLflow calls `predict`, in several threads at once."""

    def __init__(self, model: RunModel) -> None:
        self.model, self._answerer = model, Predictor(model)
        self._together = MicroBatcher(self._answerer.score)
        size = model.facts.image_size
        self._together.score(np.zeros((1, size, size, 1), np.uint8), [InputFile("first")])  # what fails, fails before anybody asks

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """An answer for each row, as the JSON of `cxr predict`.

        Column `image` holds the content of a file in base64, `name` what the answer is to be called. `params` may name `point`
        and `gate`.
        """
        asked = dict(params or {})
        names = model_input["name"] if "name" in model_input else pd.Series([None] * len(model_input))
        called = [str(row) if name is None or name != name else str(name) for row, name in enumerate(names)]
        try:
            rule = self.model.rule(str(asked.get("point", "argmax")))
        except UserError as error:  # raised here, MLflow would answer with a traceback
            return [Answer(name, "", reason=str(error)).to_json() for name in called]
        found: list[Answer] = []
        for start in range(0, len(model_input), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(model_input)))
            read = [_read(called[row], model_input["image"].iloc[row], self.model.facts.image_size) for row in rows]
            seen, known = [each for _, each in read], [(pixels, each) for pixels, each in read if not each.reason]
            scored = self._together.score(np.stack([pixels for pixels, _ in known]), [each for _, each in known]) if known else None
            found += self._answerer.answers(scored, seen, rule, bool(asked.get("gate", True)))
        return [answer.to_json() for answer in found]


def _read(name: str, said: object, size: int) -> tuple[np.ndarray, InputFile]:
    """The pixels (size, size, 1) of an image in base64, black where there is none."""
    black = np.zeros((size, size, 1), np.uint8)
    if not isinstance(said, str) or len(said) > _MOST_BYTES * 4 // 3 + 4:
        return black, InputFile(name, reason="no text in base64, or longer than any chest radiograph")
    try:
        content = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return black, InputFile(name, reason="not base64")
    pixels, seen = read_content(name, content, size)
    return (black if pixels is None else pixels), seen


def _load_pyfunc(path: str) -> Served:
    """MLflow's entry point: the folder `data/model` of an exported model."""
    prepare_tensorflow(TrainingConfig())
    return Served(read_exported(Path(path)))
