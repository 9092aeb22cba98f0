"""One sweep by each launcher: the same runs to the bit, also where a machine dies in the middle.

Tests share a cluster, in their order.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Run

from cxr.sweep.outcome import read_outcomes
from tests.conftest import Command

pytestmark = pytest.mark.slow

JOBS = 3
OVERRIDES = (
    *("-m", "loss=plain,focal,balanced", "data.phantom.count=60", "freeze=last_block", "freeze.warmup_epochs=1"),
    *("training.epochs=3", "training.deterministic=true", "training.threads=1", "evaluation=numbers", "audit=off"),
)
ON_RAY = ("hydra/launcher=ray", "hydra.launcher.num_cpus=1")
LIMIT = 300  # seconds
_TIMES = ("seconds/", "frozen/", "train/images_per_second", "model/")


def runs_in(folder: Path) -> dict[str, Run]:
    """Runs by name; no two have one name."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlruns/mlflow.db")
    runs = list(mlflow.search_runs(search_all_experiments=True, output_format="list"))
    by_name = {run.info.run_name: run for run in runs}
    assert len(by_name) == len(runs)
    return by_name


def results_of(folder: Path) -> dict[str, dict[str, float]]:
    """All metrics of all runs but times; every run has to be finished."""
    runs = runs_in(folder)
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(runs, "FINISHED")
    assert not [place for place in folder.glob("mlruns/unfinished/*") if place.is_dir()]
    return {
        name: {key: value for key, value in run.data.metrics.items() if not key.startswith(_TIMES)} for name, run in runs.items()
    }


def succeeded(done: "subprocess.CompletedProcess[str]") -> "subprocess.CompletedProcess[str]":
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def sweep(small_backbone: tuple[str, ...]) -> tuple[str, ...]:
    """The arguments of the sweep that every launcher runs."""
    return (*OVERRIDES, *small_backbone)


@pytest.fixture(scope="module")
def one_after_another(
    tmp_path_factory: pytest.TempPathFactory, run_cxr: Command, sweep: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """Results of the jobs in one process, without any cluster."""
    folder = tmp_path_factory.mktemp("plain")
    succeeded(run_cxr(*sweep, folder=folder))
    return results_of(folder)


def started(folder: Path, cache_home: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-m", "cxr", *arguments],
        cwd=folder,
        env={**inherited, "XDG_CACHE_HOME": str(cache_home), "CXR_CACHE": str(cache_home / "kept"), **environment},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


_JOINED = """
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(0.2)
"""


def wait_for_machines(address: str, count: int) -> None:
    """Until so many are in a Ray cluster."""
    subprocess.run([sys.executable, "-c", _JOINED, address, str(count)], check=True, capture_output=True, timeout=90)


def wait_for(ready: Callable[[], object], process: "subprocess.Popen[str] | None" = None) -> None:
    """Until something is there; the process must not end before."""
    deadline = time.monotonic() + LIMIT
    while not ready():
        assert process is None or process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_an_epoch(process: "subprocess.Popen[str]", folder: Path) -> None:
    wait_for(lambda: list(folder.glob("mlruns/unfinished/*/state.npz")), process)


def interrupt(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Interrupt a sweep after an epoch: it closes its runs."""
    wait_for_an_epoch(process, folder)
    process.terminate()
    _, messages = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, messages
    assert "the same command resumes the sweep" in messages
    assert "RUNNING" not in {run.info.status for run in runs_in(folder).values()}


def test_interrupt_closes_the_runs_on_ray(tmp_path: Path, sweep: tuple[str, ...], ray_cluster: Any, cache_home: Path) -> None:
    interrupt(started(tmp_path, cache_home, *sweep, *ON_RAY, RAY_ADDRESS=ray_cluster.address), tmp_path)


def test_missing_resources_of_ray_are_one_line(tmp_path: Path, sweep: tuple[str, ...], ray_cluster: Any, run_cxr: Command) -> None:
    def refused(*arguments: str) -> str:
        done = run_cxr(*sweep, "hydra/launcher=ray", *arguments, folder=tmp_path, RAY_ADDRESS=ray_cluster.address)
        assert done.returncode == 2, done.stderr
        return done.stderr.splitlines()[-1]

    assert "has 64 CPUs, 0 GPUs and the memory for a job; the largest has 1 CPUs" in refused("hydra.launcher.num_cpus=64")
    assert "the Ray cluster at 127.0.0.1:9 can't be joined" in refused("hydra.launcher.address=127.0.0.1:9")


def test_sweep_on_ray_is_the_same_to_the_bit_after_a_killed_command_and_machine(
    tmp_path: Path,
    sweep: tuple[str, ...],
    ray_cluster: Any,
    one_after_another: dict[str, dict[str, float]],
    cache_home: Path,
    run_cxr: Command,
) -> None:
    first = started(tmp_path, cache_home, *sweep, *ON_RAY, RAY_ADDRESS=ray_cluster.address)
    wait_for_an_epoch(first, tmp_path)
    first.kill()
    first.communicate()
    second = started(tmp_path, cache_home, *sweep, *ON_RAY, RAY_ADDRESS=ray_cluster.address)
    (place,) = tmp_path.glob("mlruns/sweeps/*")
    wait_for(lambda: read_outcomes(place), second)  # jobs have ended, and others run on every machine
    ray_cluster.remove_node(ray_cluster.list_all_nodes()[1], allow_graceful=False)
    _, messages = second.communicate(timeout=LIMIT)
    assert second.returncode == 0, messages
    assert f"up to {JOBS} at once on Ray" in messages
    assert f"[{JOBS}/{JOBS}]" in messages
    assert results_of(tmp_path) == one_after_another
    runs = runs_in(tmp_path).values()
    assert {run.data.tags["cxr.launcher"] for run in runs} == {"ray"}
    again = succeeded(run_cxr(*sweep, *ON_RAY, folder=tmp_path, RAY_ADDRESS=ray_cluster.address))
    assert f"{JOBS} of them finished before" in again.stderr
    assert len(runs_in(tmp_path)) == JOBS


def test_machine_without_the_shared_folder_is_named_and_nothing_runs(
    tmp_path: Path, sweep: tuple[str, ...], ray_cluster: Any, run_cxr: Command
) -> None:
    """A raylet whose mounts hide the folder, as on a machine that lacks the disk, beside the two that the test before has left."""
    hides = f"mount -t tmpfs none {tmp_path} && exec {Path(sys.executable).parent}/ray start --address={ray_cluster.address}"
    command = ["unshare", "--mount", "sh", "-c", f"{hides} --num-cpus=1 --block"]
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs mounts of its own, which an administrator can make")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as raylet:
        try:
            wait_for_machines(ray_cluster.address, 3)
            done = run_cxr(*sweep, *ON_RAY, folder=tmp_path, RAY_ADDRESS=ray_cluster.address)
        finally:
            raylet.terminate()
    assert done.returncode == 2, done.stderr
    lacks = f"has no folder at {tmp_path / 'mlruns'}, which all machines of a sweep have to share"
    assert lacks in done.stderr.splitlines()[-1]
    assert not runs_in(tmp_path)


def test_sweep_on_slurm_is_the_same_to_the_bit(
    tmp_path: Path, sweep: tuple[str, ...], slurm: dict[str, str], one_after_another: dict[str, dict[str, float]], run_cxr: Command
) -> None:
    """Submitted and left, then asked for its status and its results."""
    left = succeeded(run_cxr("submit", *sweep, "hydra.launcher.cpus_per_task=1", folder=tmp_path, **slurm))
    assert f"{JOBS} jobs queued as SLURM job" in left.stderr
    (place,) = tmp_path.glob("mlruns/sweeps/*")
    wait_for(lambda: len(read_outcomes(place)) == JOBS)
    status = succeeded(run_cxr("sweep", "status", place.name, folder=tmp_path))
    assert f"Sweep {place.name}: {JOBS} jobs, {JOBS} finished" in status.stdout
    shown = succeeded(run_cxr("sweep", "results", place.name, folder=tmp_path))
    assert all(name in shown.stdout for name in one_after_another)
    assert results_of(tmp_path) == one_after_another
    assert {run.data.tags["cxr.launcher"] for run in runs_in(tmp_path).values()} == {"slurm"}


def test_interrupt_cancels_the_jobs_on_slurm(
    tmp_path: Path, sweep: tuple[str, ...], slurm: dict[str, str], cache_home: Path
) -> None:
    interrupt(started(tmp_path, cache_home, *sweep, "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", **slurm), tmp_path)
    queued = subprocess.run(["squeue", "--noheader"], env={**os.environ, **slurm}, capture_output=True, text=True, check=True)
    assert not queued.stdout.strip()


def test_missing_slurm_is_one_line(tmp_path: Path, sweep: tuple[str, ...], run_cxr: Command) -> None:
    done = run_cxr(*sweep, "hydra/launcher=slurm", folder=tmp_path, PATH="/nowhere")
    assert done.returncode == 2
    assert "there is no SLURM on this machine" in done.stderr.splitlines()[-1]
