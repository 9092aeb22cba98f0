"""What MLflow loads to serve an exported model: the same code and files as `cxr predict`. Loads TensorFlow."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr.config.schema import TrainingConfig
from cxr.errors import UserError
from cxr.predict.answer import Answer
from cxr.predict.micro_batcher import MicroBatcher
from cxr.predict.model import Facts, RunModel, read_exported
from cxr.predict.predictor import Predictor
from cxr.predict.read import read_content
from cxr.training.runtime import prepare_tensorflow

_MOST_BYTES = 64 * 10**6  # of one image in a request, before base64
_AT_ONCE = 64  # images that are decoded at once


class Served:
    """Answers for rows of images: MLflow calls `predict`, in several threads at once."""

    def __init__(self, model: RunModel) -> None:
        self.model, self._predictor = model, Predictor(model)
        self._batcher = MicroBatcher(self._predictor.score)
        size = model.facts.image_size
        self._batcher.score(np.zeros((1, size, size, 1), np.uint8), [Answer("first")])  # what fails, fails before any request

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """An answer for each row, as the JSON of `cxr predict`.

        Args:
            model_input: column `image` holds the content of a file in base64, `name` the path in its answer.
            params: may name `point` and `gate`.
        """
        options = dict(params or {})
        names = model_input["name"] if "name" in model_input else pd.Series([None] * len(model_input))
        paths = [str(row) if name is None or name != name else str(name) for row, name in enumerate(names)]
        try:
            rule = self.model.rule(str(options.get("point", "argmax")))
        except UserError as error:  # raised here, MLflow would answer with a traceback
            return [Answer(path, reason=str(error)).to_json() for path in paths]
        answers: list[Answer] = []
        for start in range(0, len(paths), _AT_ONCE):
            contents = zip(paths[start : start + _AT_ONCE], model_input["image"].iloc[start : start + _AT_ONCE], strict=True)
            read = [_read(path, content, self.model.facts) for path, content in contents]
            images = [grey for grey, _ in read if grey is not None]
            files = [file for _, file in read]
            readable = [file for file in files if not file.reason]
            scored = self._batcher.score(np.stack(images), readable) if images else []
            answers += self._predictor.decide(files, scored, rule, bool(options.get("gate", True)))
        return [answer.to_json() for answer in answers]


def _read(path: str, text: object, facts: Facts) -> tuple[np.ndarray | None, Answer]:
    """The pixels (size, size, 1) of an image in base64, None where it can't be read, and its answer, not scored yet."""
    if not isinstance(text, str) or len(text) > _MOST_BYTES * 4 // 3 + 4:
        return None, Answer(path, reason="no text in base64, or longer than any chest radiograph")
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return None, Answer(path, reason="not base64")
    return read_content(path, content, facts.image_size, facts.grey)


def _load_pyfunc(path: str) -> Served:
    """MLflow's entry point: the folder `data/model` of an exported model."""
    prepare_tensorflow(TrainingConfig())
    return Served(read_exported(Path(path)))
