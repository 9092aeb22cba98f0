"""A job of a sweep as launchers send it to another process, which may be on another machine."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

Task = Callable[[DictConfig], float | None]

# Variables of the process that starts a sweep which a job gets too, where its machine does not set them. The cache is each
# machine's own.
_PASSED_ON = ("CXR_", "MLFLOW_", "TF_", "HYDRA_FULL_ERROR")
_EACH_ITS_OWN = ("CXR_CACHE",)
_STORE = "MLFLOW_TRACKING_URI"  # of the sweep, whatever a machine sets: its results would be in another store


@dataclass(frozen=True)
class LaunchedJob:
    """All that another process needs to do jobs of a sweep."""

    hydra_context: HydraContext
    config: DictConfig
    task: Task
    singletons: Any
    folder: str  # that the command was given in
    variables: Mapping[str, str]

    @staticmethod
    def here(hydra_context: HydraContext, config: DictConfig, task: Task, cores: int, variables: bool) -> "LaunchedJob":
        """From what Hydra gives a launcher; each job has `cores` of its machine, and with `variables` those of this process.

        They may hold a password, so a launcher that writes its jobs to disk leaves them to its scheduler.
        """
        named = [name for name in os.environ if name.startswith(_PASSED_ON) and name not in _EACH_ITS_OWN]
        passed = {name: os.environ[name] for name in named if variables}
        passed["CXR_CORES"] = str(cores)
        if variables:
            passed[_STORE] = os.environ.get(_STORE, "")
        return LaunchedJob(hydra_context, config, task, Singleton.get_state(), str(Path.cwd()), passed)

    def do(self, number: int, overrides: Sequence[str]) -> float | None:
        """In the other process: do a job as Hydra does one, and return its objective. Raises what the task raises."""
        for name, value in self.variables.items():
            os.environ[name] = value if name == _STORE else os.environ.get(name, value)
        if Path(self.folder).is_dir():
            os.chdir(self.folder)
        setup_globals()
        Singleton.set_state(self.singletons)
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"{config.hydra.job.name}_{number}", number
        HydraConfig.instance().set_config(config)
        ended = run_job(
            hydra_context=self.hydra_context,
            task_function=self.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        objective: float | None = ended.return_value
        return objective


def returned(overrides: Sequence[str], objective: float | None) -> JobReturn:
    """What Hydra expects of a job that has ended; one that failed has no objective."""
    return JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED, _return_value=objective)
