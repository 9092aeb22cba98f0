"""The GPUs of this machine as its driver lists them: which job gets which, and whether they have memory for all jobs."""

import os
import subprocess
from dataclasses import dataclass

from cxr.errors import UserError

_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.free", "--format=csv,noheader,nounits")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
# Of one job: DenseNet-121 trained whole at 224 px took 3.1 GB (scripts/bench gpu), and CUDA's own libraries take 0.5 GB.
JOB_GB = 4.0


@dataclass(frozen=True)
class Gpu:
    """One GPU: its number and id, its name, and its free memory in GB (10^9 bytes)."""

    index: int
    uuid: str
    name: str
    free_gb: float


def visible_gpus() -> list[Gpu]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES says; none without a driver."""
    try:
        listing = subprocess.run(_QUERY, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [_gpu(line) for line in listing.stdout.splitlines() if line.count(",") == 3]
    if (chosen := os.environ.get(_VISIBLE)) is None:
        return gpus
    by_name = {str(gpu.index): gpu for gpu in gpus} | {gpu.uuid: gpu for gpu in gpus}
    return [by_name[name.strip()] for name in chosen.split(",") if name.strip() in by_name]


def check_memory(gpus: list[Gpu], at_once: int) -> None:
    """Raise `UserError` where more jobs would run side by side than the GPUs have memory for."""
    if not gpus or at_once == 1:
        return
    # Jobs are dealt in turn, so the fullest card decides.
    room = min(int(gpu.free_gb / JOB_GB) * len(gpus) + place for place, gpu in enumerate(gpus))
    if room < at_once:
        free = ", ".join(f"{gpu.free_gb:.0f} GB" for gpu in gpus)
        raise UserError(
            f"{at_once} jobs at once need {JOB_GB:g} GB of GPU memory each, and {free} are free, room for {room}: set "
            f"hydra.launcher.n_jobs={max(room, 1)}, or CUDA_VISIBLE_DEVICES to GPUs with room, or to nothing to train on the CPU"
        )


def deal(gpus: list[Gpu], job: int, at_once: int) -> Gpu | None:
    """Give one GPU to a job that runs beside others, in turn by its number from 0; None leaves a single job all of them.

    The first job of a process decides, since TensorFlow keeps the GPU that it began with.
    """
    if not gpus or at_once == 1:
        return None
    gpu = gpus[job % len(gpus)]
    os.environ[_VISIBLE] = gpu.uuid
    return gpu


def _gpu(line: str) -> Gpu:
    index, uuid, name, free = (part.strip() for part in line.split(","))
    return Gpu(int(index), uuid, name, float(free) * 2**20 / 1e9 if free.replace(".", "").isdigit() else 0.0)
