"""Every preset runs on own classes, shrunk, and `cxr results` makes what is missing, shows it, and asks other data once."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from cxr.compare.presets import preset_names
from tests.conftest import Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow
SHORT = ("training.epochs=2", "evaluation=numbers", "audit=off", "augment.views=1")


# lungs_first runs in test_remedies.py.
HEADS = ("frozen_head_baseline", "cost_sensitive_head")


@pytest.mark.parametrize("preset", [name for name in preset_names() if name not in (*HEADS, "lungs_first")])
def test_preset_trains_and_evaluates_on_own_classes(
    preset: str, tmp_path: Path, own_classes: Path, cxr_here: Command, small_backbone: tuple[str, ...]
) -> None:
    own = ("data=folder", f"data.root={own_classes}", *small_backbone, "evaluation.urgent=Old TB")
    done = cxr_here(f"experiment={preset}", *own, *SHORT, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = runs_in(tmp_path)
    assert run.info.run_name == preset
    assert 0 < run.data.metrics["val/auc_macro_ovr"] <= 1
    assert run.data.params["loss.costs"] in ("{}", '{"old_tb": {"effusion": 2, "no_finding": 5}}')
    assert run.data.tags["cxr.role"] == "candidate"  # shrunk, the baseline is none


def test_results_makes_missing_runs_and_evaluates_other_data_once(tmp_path: Path, cxr_here: Command, phantoms: Path) -> None:
    """The presets of frozen heads, as their two epochs take no time; other data are phantoms of another seed."""
    made = ("--run", "data.phantom.count=60", "evaluation=numbers", "audit=off", "data.phantom.seed=5", "split=three_way")
    command = ("results", "--presets", ",".join(HEADS), "--csv", "r.csv", "--external", str(phantoms))
    done = cxr_here(*command, *made, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "r.csv").set_index("name")
    assert list(table.index) == list(HEADS)
    assert set(table["external/images"]) == {40}
    assert table["external/accuracy"].between(0, 1).all()
    runs = runs_in(tmp_path)
    evaluations = [run for run in runs if run.data.tags.get("cxr.role") == "evaluation"]
    assert len(evaluations) == 2
    again = cxr_here(*command, folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(runs_in(tmp_path)) == len(runs)
    other = tmp_path / "other"
    (other / "Pneumothorax").mkdir(parents=True)
    shutil.copy(next(phantoms.rglob("*.png")), other / "Pneumothorax/1.png")
    refused = cxr_here("results", "--presets", "cost_sensitive_head", "--external", str(other), folder=tmp_path)
    assert refused.returncode == 2
    assert "Pneumothorax" in refused.stderr
