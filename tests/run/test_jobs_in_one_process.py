"""Jobs of one process, one after another: each ends to the bit as in a process of its own, whatever came before it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path

import keras
import pytest
from keras import layers

from cxr.config.options import CONF_DIR
from cxr.system import cores

pytestmark = pytest.mark.slow

# Arguments are jobs. For each a line: a hash of its predictions and of the saved network, its settings included.
PROCESS = r"""
import hashlib, re, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile
from rich.console import Console
from cxr.config.compose import compose, typed
from cxr.progress import Progress
from cxr.run.prepared import prepare
from cxr.training.runtime import prepare_tensorflow

progress = Progress(Console(quiet=True))
for job in sys.argv[1:]:
    composed, provenance = compose(job.split())
    prepared = prepare(typed(composed), provenance, progress)
    config = prepared.config
    prepare_tensorflow(config.training)
    from cxr.run.fit.predict import predict
    from cxr.run.fit.train import loss_of, network_of, training_set
    from cxr.training.fit import Watcher, fit

    network = network_of(prepared)
    fitted = fit(network, training_set(prepared, progress), loss_of(prepared), config, Watcher(), cache=prepared.cache)
    with TemporaryDirectory() as folder:
        trained = predict(prepared, network, fitted, Path(folder), progress)
        digest = hashlib.sha256(b"".join(part.probabilities.tobytes() for part in trained.predictions.values()))
        with ZipFile(trained.model) as saved:
            digest.update(re.sub(rb'"shared_object_id": [0-9]+', b"", saved.read("config.json")))  # places in memory
    print(digest.hexdigest(), flush=True)
"""
SMALL = (
    *("data.phantom.count=30", "backbone.image_size=32", "training.deterministic=true", "audit=off", "evaluation=numbers"),
    *("backbone=keras_file", "training.batch_size=16"),
)


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
    file, count = tmp_path / "own.keras", len(jobs)
    network().save(file)
    walks = [[(start + gone) % count for gone in accumulate([0, *distances])] for start in range(count)]

    def run(walk: list[int]) -> list[str]:
        work = [" ".join((*SMALL, f"backbone.file={file}", jobs[place])) for place in walk]
        environment = {**os.environ, "CXR_CACHE": str(tmp_path / f"cache-{walk[0]}")}  # nothing comes from another process
        command = [sys.executable, "-c", PROCESS, *work]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.split()

    with ThreadPoolExecutor(cores()) as pool:
        results = list(pool.map(run, walks))
    alone = [digests[0] for digests in results]
    wrong = [
        f"{jobs[place]} after {jobs[before]}"
        for walk, digests in zip(walks, results, strict=True)
        for (before, place), digest in zip(pairwise(walk), digests[1:], strict=True)
        if digest != alone[place]
    ]
    assert not wrong
    assert len(set(alone)) > 1


def network() -> keras.Model:
    """Four blocks of two stages: a convolution and a normalisation each."""
    keras.utils.set_random_seed(3)
    images = keras.Input((32, 32, 3))
    maps = layers.Rescaling(1 / 127.5, offset=-1)(images)
    for filters, strides in ((4, 2), (6, 2), (8, 2), (8, 1)):
        maps = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(maps)
        maps = layers.ReLU()(layers.BatchNormalization()(maps))
    return keras.Model(images, maps)
