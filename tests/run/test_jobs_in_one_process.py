"""Jobs of one process, one after another: each ends to the bit as in a process of its own, whatever came before it."""

import hashlib
import os
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest
from rich.console import Console

from cxr.config.compose import compose, typed
from cxr.config.options import CONF_DIR
from cxr.progress import Progress
from cxr.run.fit.predict import predict
from cxr.run.fit.train import loss_of, network_of, training_set
from cxr.run.prepared import prepare
from cxr.training.fit import Watcher, fit
from cxr.training.runtime import prepare_tensorflow
from tests.small_backbone import saved_backbone

pytestmark = pytest.mark.slow

SMALL = (*("data.phantom.count=30", "training.deterministic=true", "audit=off", "evaluation=numbers", "training.batch_size=16"),)


def digests(jobs: list[str], cache: Path) -> list[str]:
    """Do jobs one after another: for each a hash of its predictions and of the saved network, its settings included."""
    os.environ["CXR_CACHE"] = str(cache)
    progress, hashes = Progress(Console(quiet=True)), []
    for job in jobs:
        composed, provenance = compose(job.split())
        prepared = prepare(typed(composed), provenance, progress)
        prepare_tensorflow(prepared.config.training)
        network, loss = network_of(prepared), loss_of(prepared)
        fitted = fit(network, training_set(prepared, progress), loss, prepared.config, Watcher(), cache=prepared.cache)
        with TemporaryDirectory() as folder:
            trained = predict(prepared, network, fitted, Path(folder), progress)
            digest = hashlib.sha256(b"".join(part.probabilities.tobytes() for part in trained.predictions.values()))
            with ZipFile(trained.model) as saved:
                digest.update(re.sub(rb'"shared_object_id": [0-9]+', b"", saved.read("config.json")))  # places in memory
        hashes.append(digest.hexdigest())
    return hashes


def options(group: str) -> list[str]:
    """Every option of a group of conf/ as an override."""
    return [f"{group}={path.stem}" for path in sorted((CONF_DIR / group).glob("*.yaml"))]


# Where statistics of batches count, so does the momentum that from_scratch sets.
FREEZE = ["freeze=from_scratch", "freeze=all freeze.batch_norm=train", "freeze=last_block freeze.batch_norm=train"]
FREEZE = [f"{job} training.epochs=5" for job in (*FREEZE, *(job for job in options("freeze") if job not in FREEZE))]
PRECISION = [f"training.precision={name}" for name in ("float32", "mixed_bfloat16", "mixed_float16")]
OTHER = [f"{job} freeze=last_block freeze.warmup_epochs=0 training.epochs=1" for job in (*PRECISION, *options("prepare"))]


@pytest.mark.parametrize("jobs", [FREEZE, OTHER], ids=["freeze", "precision-prepare"])
def test_job_after_others_ends_as_it_does_before_them(jobs: list[str], tmp_path: Path) -> None:
    """One process does the jobs and the first once more, another does them backward: so of any two each comes first once.

    The first job of each, which nothing comes before, ends the other.
    """
    backbone = saved_backbone(tmp_path / "own.keras")
    orders = [[*jobs, jobs[0]], jobs[::-1]]
    processes = get_context("forkserver")  # each begins as a process that has imported this module, and has done nothing with it
    processes.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(2, mp_context=processes, max_tasks_per_child=1) as pool:
        forward, backward = pool.map(
            digests,
            [[" ".join((*SMALL, *backbone, job)) for job in order] for order in orders],
            [tmp_path / "forward", tmp_path / "backward"],  # caches: nothing comes from the other process
        )
    assert dict(zip(orders[0][1:], forward[1:], strict=True)) == dict(zip(orders[1], backward, strict=True))
    assert forward[0] == forward[-1]
    assert len(set(forward)) > 1
