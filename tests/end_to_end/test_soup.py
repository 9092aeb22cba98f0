"""`cxr soup`: from a sweep to one run, whose model is the average of those that stayed."""

import json
from pathlib import Path

import mlflow
import pytest

from tests.conftest import Command
from tests.logged_runs import runs_in

SHORT = ("data.phantom.count=60", "training.epochs=2", "augment=none", "evaluation=numbers", "audit=off")


@pytest.mark.slow
def test_sweep_becomes_a_soup_that_can_be_reproduced(tmp_path: Path, small_backbone: tuple[str, ...], cxr_here: Command) -> None:
    assert cxr_here("-m", *SHORT, *small_backbone, "freeze=head", "training.seed=0,1", folder=tmp_path).returncode == 0
    (sweep,) = (path.name for path in (tmp_path / "mlruns/sweeps").iterdir())
    done = cxr_here("soup", sweep, "--most", "2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "A soup of up to 2 runs, best first" in done.stdout
    (soup,) = runs_in(tmp_path, "run_name = 'soup-of-2'")
    ids = json.loads(soup.data.params["training.soup"])
    assert len(ids) == 2
    assert all(run_id in done.stdout or run_id[:8] in done.stdout for run_id in ids)
    losses = {run_id: mlflow.get_run(run_id).data.metrics["val/log_loss"] for run_id in ids}
    assert soup.data.metrics["val/log_loss"] <= min(losses.values()) + 1e-6  # on validation a soup never loses
    again = cxr_here("reproduce", "soup-of-2", folder=tmp_path)
    assert again.returncode == 0, again.stderr
