"""On a GPU: the numbers of the CPU, every precision, the same to the bit twice, two jobs on one card. Skipped without one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.training.devices import visible_gpus
from tests.conftest import Command

absent = pytest.mark.skipif(not visible_gpus(), reason="this machine's driver lists no GPU")
pytestmark = [pytest.mark.gpu, pytest.mark.slow, absent]

SMALL = (
    *("data.phantom.count=60", "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=3", "evaluation=numbers"),
    "audit=off",
)

Train = Callable[..., str]

ENGINE = """
import numpy as np
from cxr.config.schema import BackboneConfig, Config
from cxr.model.network import build_network
from cxr.model.partition import partition
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.engine import batch_of, make_engine
from cxr.training.runtime import prepare_tensorflow

prepare_tensorflow(Config().training)
import tensorflow as tf
assert all(tf.config.experimental.get_memory_growth(gpu) for gpu in tf.config.list_physical_devices("GPU"))
parts = partition(build_network(BackboneConfig(alpha=0.35, image_size=96), 3, Weights(path=PHANTOM_WEIGHTS)), "block_13")
images = np.random.default_rng(0).uniform(0, 255, (batch_of("tensorflow"), 96, 96, 1)).astype(np.float32)
values = next(make_engine("tensorflow", parts.frozen, "float32", 2)([images]))
with tf.device("/CPU:0"):
    expected = parts.frozen(np.repeat(images, 3, axis=-1)).numpy()
print(float(np.abs(values - expected).max() / np.abs(expected).max()))
"""


def artifact(folder: Path, name: str) -> Path:
    """A file of a run in a folder."""
    return next(folder.glob(f"mlruns/artifacts/*/artifacts/{name}"))


def predictions(folder: Path) -> pd.DataFrame:
    return pd.read_csv(artifact(folder, "predictions/test.csv"))


def machine(folder: Path) -> dict[str, list[str]]:
    return dict(json.loads(artifact(folder, "environment/machine.json").read_text()))


@pytest.fixture
def trained(run_cxr: Command) -> Train:
    """Train with some arguments in a folder; returns the messages."""

    def train(*arguments: str, folder: Path, **environment: str) -> str:
        done = run_cxr(*arguments, *SMALL, folder=folder, **environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    return train


def test_activations_are_those_of_the_cpu() -> None:
    """In float32 itself: TF32, a GPU's faster kind, differs by a thousandth."""
    done = subprocess.run([sys.executable, "-c", ENGINE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) < 1e-4


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_trains_saves_and_agrees(precision: str, trained: Train, tmp_path: Path) -> None:
    messages = trained(f"training.precision={precision}", folder=tmp_path)
    assert "can't use the GPU" not in messages
    assert "saved model" not in messages  # a line names a saved model that predicts otherwise
    assert machine(tmp_path)["gpus"]
    assert np.isfinite(predictions(tmp_path).select_dtypes("number")).all(axis=None)


XLA = "from cxr.training import steps; steps._XLA_PAYS_AFTER = 1; from cxr.cli import main; main()"


def test_updates_that_xla_compiles_are_those_of_tensorflow(tmp_path: Path) -> None:
    overrides, losses = (*SMALL, "augment=none", "backbone.dropout=0"), []
    for command in (["-c", XLA], ["-m", "cxr"]):
        (folder := tmp_path / command[0]).mkdir()
        done = subprocess.run([sys.executable, *command, *overrides], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        losses.append(pd.read_csv(artifact(folder, "evaluation/training_curves.csv")))
    pd.testing.assert_frame_equal(losses[0], losses[1], rtol=1e-3)


def test_run_repeats_to_the_bit(trained: Train, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        trained("training.deterministic=true", folder=tmp_path / name, CXR_CACHE=str(tmp_path / f"{name} cache"))
    pd.testing.assert_frame_equal(predictions(tmp_path / "first"), predictions(tmp_path / "second"), check_exact=True)


def test_two_jobs_share_a_card(trained: Train, tmp_path: Path) -> None:
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    trained("-m", "loss=plain,focal", *parallel, folder=tmp_path, CUDA_VISIBLE_DEVICES="0")
    assert machine(tmp_path)["gpus"]
