"""A Ray cluster of three raylets, and a SLURM of this machine, each for the tests of a module."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cxr.system import cores

_SLURM = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort={port}
SlurmdPort={port_of_node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=10
NodeName={host} CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """Three raylets with a core each, which have a store of their own; `address` is where they are joined."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 * 10**6}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # else other tests beside these would leave its workers no time
        patch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
        cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(**small)
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which sbatch finds a SLURM of this machine."""
    if not all(map(shutil.which, ("slurmctld", "slurmd", "munged"))) or os.geteuid() != 0:
        pytest.skip("needs slurmctld, slurmd and munge from Debian's packages, and an administrator who starts them")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    port, port_of_node = _free_ports(2)
    settings = {"host": socket.gethostname(), "port": port, "port_of_node": port_of_node, "cores": cores()}
    (folder / "slurm.conf").write_text(_SLURM.format(folder=folder, **settings))
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    _start_munge()
    try:
        for program in ("slurmctld", "slurmd"):
            subprocess.run([program], env={**os.environ, **environment}, check=False, timeout=60)
        _wait_until_idle(environment)
        yield environment
    finally:
        for name in ("slurmd.pid", "slurmctld.pid"):
            if (folder / name).exists():
                os.kill(int((folder / name).read_text()), 15)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]


def _start_munge() -> None:
    """The service by which SLURM's programs trust each other, unless it runs."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False, timeout=30).returncode:
        for place in ("/run/munge", "/var/log/munge", "/var/lib/munge", "/etc/munge"):
            Path(place).mkdir(parents=True, exist_ok=True)
            shutil.chown(place, "munge", "munge")
        subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "munged --force"], check=False, timeout=60)


def _wait_until_idle(environment: dict[str, str]) -> None:
    deadline, command = time.monotonic() + 60, ["sinfo", "--noheader", "--format=%t"]
    while time.monotonic() < deadline:
        listing = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False, timeout=60)
        if listing.stdout.strip() == b"idle":
            return
        time.sleep(0.5)
    pytest.skip("SLURM's programs do not start on this machine")
