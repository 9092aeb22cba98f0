"""A Ray cluster: joined or made, and every machine of it checked before a job starts."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cxr.config.launchers import RayConfig
from cxr.errors import UserError
from cxr.sweep.node import Planned, check_node
from cxr.system import cores

_OBJECTS = 100 * 10**6  # bytes that a new cluster keeps for objects; jobs exchange none
_PATIENCE = 60  # seconds that a machine has to answer


@contextmanager
def connected(wanted: RayConfig, planned: Planned) -> Iterator[int]:
    """Join the cluster, or make one of this machine; yields how many jobs have room at once, and leaves it at the end.

    Raises:
        UserError: No cluster answers, no machine has room for a job, or one does not fit the sweep.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    on_terminate = signal.getsignal(signal.SIGTERM)
    _join(wanted.address)
    signal.signal(signal.SIGTERM, on_terminate)  # Ray's own would end the process without a word to the jobs
    try:
        machines = [node for node in ray.nodes() if node["Alive"]]
        places = sum(_room(node["Resources"], wanted) for node in machines)
        if not places:
            most, gpus = (max((node["Resources"].get(name, 0) for node in machines), default=0) for name in ("CPU", "GPU"))
            raise UserError(
                f"no machine of this Ray cluster has {wanted.num_cpus} CPUs, {wanted.num_gpus:g} GPUs and the memory for a job; "
                f"the largest has {most:g} CPUs and {gpus:g} GPUs: set hydra.launcher.num_cpus, num_gpus or memory"
            )
        _check_machines([node["NodeID"] for node in machines], planned)
        yield places
    finally:
        ray.shutdown()


def _join(address: str | None) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    where = address or os.environ.get("RAY_ADDRESS")
    try:
        _check_answers(where)
        try:
            ray.init(address=where or "auto", **settings)
        except ConnectionError:
            if where:
                raise
            ray.init(
                address="local",
                num_cpus=cores(),
                object_store_memory=_OBJECTS,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",  # for this machine only
                **settings,
            )
    except (OSError, RuntimeError, ValueError) as error:  # of another version, a wrong address
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"the Ray cluster at {where or 'this machine'} can't be joined ({reason})") from error


def _check_answers(where: str | None) -> None:
    """Raise `OSError` where nothing answers at HOST:PORT: Ray itself would try for minutes."""
    split = urlsplit(where if where and "//" in where else f"//{where}")
    if where and split.port:
        socket.create_connection((split.hostname or "localhost", split.port), timeout=5).close()


def _room(resources: dict[str, float], wanted: RayConfig) -> int:
    """Jobs for which a machine has room."""
    needs = {"CPU": wanted.num_cpus, "GPU": wanted.num_gpus, "memory": wanted.memory or 0}
    return int(min(resources.get(name, 0) // amount for name, amount in needs.items() if amount))


def _check_machines(nodes: list[str], planned: Planned) -> None:
    """Raise `UserError` with what is wrong with the machines that do not fit the sweep."""
    nodes_of = {ray.remote(**_on(node))(_reason).remote(planned): node for node in nodes}
    answered, silent = ray.wait(list(nodes_of), num_returns=len(nodes_of), timeout=_PATIENCE)
    reasons = [reason for reason in ray.get(answered) if reason]
    reasons += [f"machine {nodes_of[reference][:8]} of the Ray cluster does not answer" for reference in silent]
    if reasons:
        raise UserError("; ".join(reasons))


def _on(node: str) -> dict[str, Any]:
    return {"num_cpus": 0, "max_calls": 1, "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def _reason(planned: Planned) -> str:
    """In a worker: why its machine does not fit; "" if it does."""
    try:
        check_node(planned)
    except UserError as error:
        return str(error)
    return ""
