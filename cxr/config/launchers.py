"""The settings of the launchers of cxr, as in conf/hydra/launcher/*.yaml: the type and range of each value."""

from dataclasses import dataclass, field
from typing import Any

from cxr.config.fields import number


@dataclass
class RayConfig:
    """`hydra/launcher=ray`: the cluster, and what each job gets of it."""

    address: str | None = None
    num_cpus: int = number(2, 1, 10_000)
    num_gpus: float = number(0.0, 0, 64)
    memory: float | None = number(None, 1e6, 1e14)  # bytes
    max_concurrent: int | None = number(None, 1, 100_000)
    retries: int = number(3, 0, 1000)


@dataclass
class SlurmConfig:
    """`hydra/launcher=slurm`: how a job is queued, and what it gets."""

    wait: bool = True
    timeout_min: int = number(240, 1, 100_000)
    signal_delay_s: int = number(60, 1, 100_000)
    requeues: int = number(20, 0, 10_000)
    array_parallelism: int = number(64, 1, 100_000)
    cpus_per_task: int = number(2, 1, 10_000)
    gpus_per_node: int | None = number(None, 0, 64)
    mem_gb: float | None = number(None, 0, 100_000, above=True)
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    setup: list[str] = field(default_factory=list)  # lines of shell
    additional_parameters: dict[str, Any] = field(default_factory=dict)  # of sbatch


LAUNCHERS: dict[str, type[RayConfig] | type[SlurmConfig]] = {"ray": RayConfig, "slurm": SlurmConfig}
