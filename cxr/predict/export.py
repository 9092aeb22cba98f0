"""The export of a run's model with all that its answers depend on, in a folder that MLflow can serve. Loads TensorFlow."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.audit.gate import write_gate
from cxr.audit.orientation import write_orientation
from cxr.config.schema import PhantomConfig
from cxr.errors import RunFailed, UserError, writing
from cxr.evaluation.decisions import FILE as DECISIONS
from cxr.evaluation.decisions import Decisions, write_decisions
from cxr.predict.model import CARD, FACTS, Exported, RunModel
from cxr.run.audited import GATE, ORIENTATION
from cxr.run.origin import MODEL
from cxr.tracking.models import write_pyfunc
from cxr.tracking.scratch import scratch
from cxr.training.exported import FORMATS, difference_of_precision, largest_difference

_MOST = 1e-3  # difference of a probability between one format and another
_READ_ME = Path(__file__).with_name("exported.md")


def export(model: RunModel, card: str, folder: Path) -> Exported:
    """Write the folder, whole or not at all.

    Raises:
        UserError: It exists and is not empty.
        RunFailed: A format gives other probabilities.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty: name another folder")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    settings = PhantomConfig(image_size=model.facts.image_size)
    images = np.stack([draw(label, number, settings) for number in range(8) for label in CLASS_SHARES])[..., None]
    apart = difference_of_precision(model.file, images) if model.facts.precision != "float32" else 0.0
    model = replace(model, facts=replace(model.facts, from_float32=apart))
    with scratch() as place:
        data = place / "model"
        data.mkdir()
        _write_files(model, data)
        whole = place / "whole"
        write_pyfunc(whole, data)
        differences = _add_formats(model, whole, images)
        (whole / "decisions.schema.json").write_text(json.dumps(TypeAdapter(Decisions).json_schema(), indent=1) + "\n")
        (whole / CARD).write_text(card, encoding="utf-8")
        text = "; ".join(f"{name} {difference:.1e}" for name, difference in differences.items()) or "no other format was written"
        values = {"name": model.name, "differences": text, "precision": model.facts.precision, "from_float32": f"{apart:.1e}"}
        (whole / "README.md").write_text(Template(_READ_ME.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        shutil.move(whole, folder)
    return Exported(model, folder, differences, {of.name: " ".join(of.packages) for of in FORMATS if not of.is_installed})


def _write_files(model: RunModel, data: Path) -> None:
    shutil.copyfile(model.file, data / Path(MODEL).name)
    write_decisions(model.decisions, data / Path(DECISIONS).name)
    (data / FACTS).write_text(json.dumps(asdict(model.facts), indent=2) + "\n", encoding="utf-8")
    if model.gate is not None:
        write_gate(model.gate, data / Path(GATE).name)
    if model.orientation is not None:
        write_orientation(model.orientation, data / Path(ORIENTATION).name)


def _add_formats(model: RunModel, whole: Path, images: NDArray[np.uint8]) -> dict[str, float]:
    """Write the model in every format that is installed; each is checked against the `.keras` file in float32."""
    differences = {}
    for of in FORMATS:
        if of.is_installed:
            differences[of.name] = difference = largest_difference(model.file, of, whole, images)
            if not difference <= _MOST:
                apart = f"differ from Keras' by {difference:.1e}, more than {_MOST:g}"
                raise RunFailed(f"the probabilities of {of.name} {apart}: nothing was written")
    return differences
