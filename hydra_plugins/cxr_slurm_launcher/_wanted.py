"""What conf/hydra/launcher/slurm.yaml says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wanted:
    """What conf/hydra/launcher/slurm.yaml says: how a job is queued, and what it gets."""

    wait: bool
    timeout_min: int
    signal_delay_s: int
    requeues: int
    array_parallelism: int
    cpus_per_task: int
    gpus_per_node: int | None
    mem_gb: float | None
    partition: str | None
    account: str | None
    qos: str | None
    constraint: str | None
    setup: Sequence[str]  # lines of shell
    additional_parameters: Mapping[str, Any]  # of sbatch
