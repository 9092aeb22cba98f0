"""The provenance of a config: choices, overrides, and the place of the run in a sweep."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SweepJob:
    """A run's place in a sweep."""

    sweep_id: str
    folder: Path  # of the sweep: its plan and the outcome of each job
    number: int  # from 0
    name: str
    at_once: int  # jobs that share the cores and GPUs of this machine
    count: int = 1  # jobs of the sweep
    launcher: str = "basic"  # Hydra's name for what runs the jobs


@dataclass(frozen=True)
class Provenance:
    """The provenance of a config."""

    choices: dict[str, str]  # group: option
    overrides: tuple[str, ...]
    yaml: str  # the whole config, resolved
    job: SweepJob | None = None  # none for a single run
    reproduces: str | None = None  # id of the run that this one does again

    @property
    def at_once(self) -> int:
        """Number of runs that share the cores of this machine."""
        return self.job.at_once if self.job else 1

    @property
    def job_number(self) -> int:
        """The number of the job in its sweep, from 0; 0 without one."""
        return self.job.number if self.job else 0
