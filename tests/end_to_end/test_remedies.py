"""`experiment=lungs_first`, shrunk: it trains, saves a model that prepares images by itself, and its audit can order a sweep."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.anatomy.phantom import draw
from cxr.config.schema import PhantomConfig
from cxr.model.preprocessing import Preprocessing
from tests.conftest import Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow
SHORT = ("data.phantom.count=90", "training.epochs=3", "evaluation.resamples=100", "evaluation.saliency_images=2")


def test_preset_from_training_to_the_saved_model(tmp_path: Path, cxr_here: Command) -> None:
    more = ("audit.images=60", "audit.changed=10", "objective=auc_without_shortcut", "prepare.crop=thorax")
    done = cxr_here("experiment=lungs_first", *SHORT, *more, "data.phantom.shortcut=marker", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = runs_in(tmp_path)
    assert 0 <= run.data.metrics["val/auc_on_other_surroundings"] <= 1
    assert run.data.params["prepare.crop"] == "thorax"
    (artifacts,) = tmp_path.glob("mlruns/artifacts/*/artifacts")
    assert "Shortcut audit" in (artifacts / "report.html").read_text()
    saved = keras.saving.load_model(artifacts / "model/model.keras", safe_mode=True)
    assert any(isinstance(layer, Preprocessing) for layer in saved.layers)
    grey = np.repeat(draw("COVID", 0, PhantomConfig())[None, ..., None], 3, axis=-1).astype(np.float32)
    assert float(np.asarray(saved(grey)).sum()) == pytest.approx(1, abs=1e-5)
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
