"""The predictions of a trained network, and its saved model."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.lung_network import lungs_in
from cxr.audit.gate import LEAST, Gate, fit_gate, write_gate
from cxr.audit.orientation import fit_orientation, write_orientation
from cxr.data.parts import Part
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.shift import drawn_rows
from cxr.model.freeze import HEAD, POOLED, mid_layer
from cxr.model.network import Network
from cxr.model.saved import save_model
from cxr.progress import Progress
from cxr.run.audited import GATE, ORIENTATION
from cxr.run.fit.features import sample_of, write_sample
from cxr.run.fit.stored_training import Trained
from cxr.run.origin import MODEL
from cxr.run.prepared import PreparedRun
from cxr.training.fit import Fitted
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import open_model
from cxr.training.verify import verify

_FEW = 100  # images in which lungs are looked for


def predict(
    prepared: PreparedRun, network: Network, fitted: Fitted, folder: Path, progress: Progress, saved: Path | None = None
) -> Trained:
    """Save model and features of validation images in `folder`, and predict the parts that did not train.

    A model that was `saved` before stays where it is.
    The last one is evaluated: test, or val without a test part. The saved model has to predict the same for a sample; otherwise
    its own predictions are used. With `evaluation.views` they are the mean over views.
    """
    dataset, model = prepared.dataset, saved or folder / MODEL
    held_out: dict[Part, NDArray[np.int64]] = {part: dataset.rows(part) for part in dataset.parts if part != "train"}
    with progress.stage("evaluate", f"Evaluating on {' and '.join(held_out)}"):
        if saved is None:
            save_model(network, model)
        probabilities = {part: fitted.predict(rows) for part, rows in held_out.items()}
        probabilities, verified = verify(model, dataset.images, held_out, probabilities, prepared.config)
        if not verified.agreed:
            progress.console.print(f"cxr: {verified.text}")
        if prepared.config.evaluation.views > 1:
            images = dataset.images, dataset.hashes
            probabilities = {part: mean_over_views(model, *images, rows, prepared.config) for part, rows in held_out.items()}
        shown = _some(prepared, "val")
        manifest = dataset.manifest.iloc[shown]
        write_sample(folder, sample_of(manifest, dataset.images[shown], fitted.pooled(shown)))
        (folder / GATE).parent.mkdir(parents=True, exist_ok=True)
        if gate := _gate(prepared, network, fitted, model):
            write_gate(gate, folder / GATE)
        if orientation := fit_orientation(np.asarray(dataset.images[_some(prepared, "train")])):
            write_orientation(orientation, folder / ORIENTATION)
    paths = dataset.manifest["path"]
    predictions = {
        part: Predictions(tuple(paths.iloc[rows]), dataset.classes, dataset.labels[rows], probabilities[part])
        for part, rows in held_out.items()
    }
    return Trained(fitted.history, predictions, verified, fitted.frozen, model, gate)


def _gate(prepared: PreparedRun, network: Network, fitted: Fitted, model: Path) -> Gate | None:
    """A gate for images unlike those that the network knows: fitted on some training images, its limit from validation.

    On pooled features of a backbone that did not train, else on those of its middle layer, which hardly change in training. It also
    holds in how many validation images lungs are found.
    """
    dataset, known, others = prepared.dataset, _some(prepared, "train"), _some(prepared, "val")
    if min(len(known), len(others)) < LEAST:
        return None
    config, layer = prepared.config, POOLED
    if config.freeze.trainable_from == HEAD:
        features = [fitted.pooled(rows) for rows in (known, others)]
    else:
        layer, opened = mid_layer(network.described), open_model(model, config)
        features = [opened.features(np.asarray(dataset.images[rows]), layer) for rows in (known, others)]
    gate = fit_gate(features[0], dataset.labels[known], features[1], layer)
    reasons = lungs_in(np.asarray(dataset.images[others[:_FEW]]))[1] if gate else []
    return replace(gate, lungs=1 - len(list(filter(None, reasons))) / len(reasons)) if gate else None


def _some(prepared: PreparedRun, part: Part) -> NDArray[np.int64]:
    """Rows of up to 500 images of a part, drawn by a hash of their names."""
    rows = prepared.dataset.rows(part)
    return np.asarray(rows[drawn_rows(list(prepared.dataset.manifest["path"].iloc[rows]))])
