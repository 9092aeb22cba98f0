"""`hydra/launcher=slurm`. Hydra imports this file whenever it looks for plugins, so submitit is imported when jobs start."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from cxr.config.compose import launcher_settings
from cxr.config.launchers import SlurmConfig


class SlurmLauncher(Launcher):
    """Queues the jobs as one array; the arguments are those of `SlurmConfig`."""

    def __init__(self, **settings: Any) -> None:
        self.wanted: SlurmConfig = launcher_settings("slurm", settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's own settings of the sweep, and what a job does."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Queue the jobs, and with `wait` stay until they have ended; their outcomes are in the sweep's folder."""
        from cxr.config.launched import LaunchedJob
        from hydra_plugins.cxr_slurm_launcher._queue import Queue

        work = LaunchedJob.here(self.hydra_context, self.config, self.task_function, self.wanted.cpus_per_task, variables=False)
        queue = Queue.submit(self.wanted, work, job_overrides, initial_job_idx)
        return queue.wait() if self.wanted.wait else queue.left()
