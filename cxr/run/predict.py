"""The predictions of a trained network, and its saved model."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.data.split import Part
from cxr.evaluation.predictions import Predictions
from cxr.model.network import Network
from cxr.model.saved import save_model
from cxr.progress import Progress
from cxr.run.prepared import PreparedRun
from cxr.run.stored_training import MODEL, Trained
from cxr.training.fit import Fitted
from cxr.training.verify import verify


def predict(prepared: PreparedRun, network: Network, fitted: Fitted, folder: Path, progress: Progress) -> Trained:
    """Save the model in `folder`, and predict the parts that did not train; the last one is evaluated.

    That is test, or val without a test part. The saved model has to predict the same for a sample; otherwise its own
    predictions are used.
    """
    dataset, model = prepared.dataset, folder / MODEL
    held_out: dict[Part, NDArray[np.int64]] = {part: dataset.rows(part) for part in dataset.parts if part != "train"}
    with progress.stage("evaluate", f"Evaluating on {' and '.join(held_out)}"):
        save_model(network, model)
        found = {part: fitted.predict(rows) for part, rows in held_out.items()}
        found, verified = verify(model, dataset.images, held_out, found, prepared.config)
        if not verified.agreed:
            progress.console.print(f"cxr: {verified.in_words}")
    paths = dataset.manifest["path"]
    predictions = {
        part: Predictions(tuple(paths.iloc[rows]), dataset.classes, dataset.labels[rows], found[part])
        for part, rows in held_out.items()
    }
    return Trained(fitted.history, predictions, verified, fitted.frozen, model)
