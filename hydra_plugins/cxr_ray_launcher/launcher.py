"""`hydra/launcher=ray`. Hydra imports this file whenever it looks for plugins, so Ray is imported when jobs start."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from cxr.config.compose import launcher_settings
from cxr.config.launchers import RayConfig


class RayLauncher(Launcher):
    """Runs each job in a new worker process of a cluster; the arguments are those of `RayConfig`."""

    def __init__(self, **settings: Any) -> None:
        self.wanted: RayConfig = launcher_settings("ray", settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's own settings of the sweep, and what a job does."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run the jobs; their outcomes are in the sweep's folder, and their objectives are returned in order."""
        from cxr.config.launched import LaunchedJob
        from hydra_plugins.cxr_ray_launcher._cluster import connected
        from hydra_plugins.cxr_ray_launcher._jobs import Jobs

        work = LaunchedJob.here(self.hydra_context, self.config, self.task_function, self.wanted.num_cpus, variables=True)
        jobs = Jobs(self.wanted, work, job_overrides, initial_job_idx)
        with connected(self.wanted, jobs.planned) as places:
            return jobs.run(places)
