"""`experiment=lungs_first`, shrunk: it trains, saves a model that prepares images by itself, and its audit can order a sweep."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cxr.anatomy.phantom import draw
from cxr.config.schema import PhantomConfig
from cxr.model.saved import load_model
from tests.conftest import Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow
SHORT = ("data.phantom.count=90", "training.epochs=3", "evaluation.resamples=100", "evaluation.saliency_images=2")

_WITHOUT_CXR = """
import json, sys, keras, numpy
print(json.dumps(keras.saving.load_model(sys.argv[1], safe_mode=True)(numpy.load(sys.argv[2])).numpy()[0].tolist()))
assert not [name for name in sys.modules if name.split(".")[0] == "cxr"]
"""


def test_preset_from_training_to_the_saved_model(tmp_path: Path, cxr_here: Command) -> None:
    more = ("audit.images=60", "audit.changed=10", "objective=auc_without_shortcut", "prepare.crop=thorax")
    done = cxr_here("experiment=lungs_first", *SHORT, *more, "data.phantom.shortcut=marker", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = runs_in(tmp_path)
    assert 0 <= run.data.metrics["val/auc_on_other_surroundings"] <= 1
    assert run.data.params["prepare.crop"] == "thorax"
    (artifacts,) = tmp_path.glob("mlruns/artifacts/*/artifacts")
    assert "Shortcut audit" in (artifacts / "report.html").read_text()
    np.save(tmp_path / "grey.npy", np.repeat(draw("COVID", 0, PhantomConfig())[None, ..., None], 3, axis=-1).astype(np.float32))
    alone = subprocess.run(
        [sys.executable, "-I", "-c", _WITHOUT_CXR, artifacts / "model/model.keras", tmp_path / "grey.npy"],
        check=True,
        capture_output=True,
        text=True,
    )
    probabilities = json.loads(alone.stdout)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    opened = load_model(artifacts / "model/model.keras").probabilities(np.load(tmp_path / "grey.npy")[..., :1])
    assert probabilities == pytest.approx(list(opened[0]), abs=1e-5)
    again = cxr_here("evaluate", run.info.run_name, "data=phantom", "data.phantom.seed=5", *SHORT[:1], folder=tmp_path)
    assert again.returncode == 0, again.stderr


def test_same_command_trains_the_same_network(tmp_path: Path, cxr_here: Command, small_backbone: tuple[str, ...]) -> None:
    """Surroundings, noise and covered corners are drawn from the seed and the pixels alone."""
    short = (*SHORT, "experiment=lungs_first", *small_backbone, "audit=off", "evaluation=numbers", "training.deterministic=true")
    losses = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        done = cxr_here(*short, f"tracking.run_name={name}", folder=tmp_path / name, CXR_CACHE=str(tmp_path / f"{name} cache"))
        assert done.returncode == 0, done.stderr
        (run,) = runs_in(tmp_path / name)
        losses.append(run.data.metrics["val/loss"])
    assert losses[0] == losses[1]
