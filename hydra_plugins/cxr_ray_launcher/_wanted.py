"""What conf/hydra/launcher/ray.yaml says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """What conf/hydra/launcher/ray.yaml says: the cluster, and what each job gets of it."""

    address: str | None
    num_cpus: int
    num_gpus: float
    memory: float | None  # bytes
    max_concurrent: int | None
    retries: int
