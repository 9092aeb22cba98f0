"""Jobs of one process, one after another: each ends to the bit as in a process of its own, whatever came before it."""

import hashlib
import os
import re
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate, pairwise
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
from cxr.system import cores
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


@pytest.mark.parametrize(("jobs", "distances"), [(FREEZE, [1, 0, 3]), (OTHER, [1])], ids=["freeze", "precision-prepare"])
def test_job_after_another_ends_as_it_does_alone(jobs: list[str], distances: list[int], tmp_path: Path) -> None:
    """One process for each job, which is its first; each later job is one of `distances` further on in the ring of jobs.

    So each is alone once, and comes before and after others. Not all pairs: the square of freeze options takes three times as long.
    """
    backbone, count = saved_backbone(tmp_path / "own.keras"), len(jobs)
    walks = [[(start + gone) % count for gone in accumulate([0, *distances])] for start in range(count)]
    processes = get_context("forkserver")  # each begins as a process that has imported this module, and has done nothing with it
    processes.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(cores(), mp_context=processes, max_tasks_per_child=1) as pool:
        results = list(
            pool.map(
                digests,
                [[" ".join((*SMALL, *backbone, jobs[place])) for place in walk] for walk in walks],
                [tmp_path / f"cache-{start}" for start in range(count)],  # nothing comes from another process
            )
        )
    alone = [hashes[0] for hashes in results]
    wrong = [
        f"{jobs[place]} after {jobs[before]}"
        for walk, hashes in zip(walks, results, strict=True)
        for (before, place), digest in zip(pairwise(walk), hashes[1:], strict=True)
        if digest != alone[place]
    ]
    assert not wrong
    assert len(set(alone)) > 1
