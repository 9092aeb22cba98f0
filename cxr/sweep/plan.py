"""The plan of a sweep, made before its first job starts: the same arguments give the same plan and id."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from cxr.config.compose import compose, composer, expand, typed
from cxr.config.provenance import Provenance, SweepJob
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.stages.code import short_hash
from cxr.tracking.store import FOLDER, work_folder

PLACE = "sweeps"  # in the work folder
_LAUNCHERS = {"ray": ("ray", "'ray>=2.50'"), "slurm": ("submitit", "'submitit>=1.5,<2'")}
_ON_THIS_MACHINE = ("basic", "joblib")  # launchers whose jobs share the cores of the machine that starts them


@dataclass(frozen=True)
class Plan:
    """A sweep; `folder` keeps this plan, the outcome of each job, and the results."""

    id: str
    count: int
    swept: tuple[str, ...]  # keys that differ from job to job
    names: tuple[str, ...]  # of the jobs by number; none for a search, which chooses them one by one
    at_once: int
    metric: str
    direction: str
    launcher: str = "basic"  # Hydra's name for what runs the jobs
    waits: bool = True  # whether the command stays until the jobs have ended
    stops: bool = False  # start no further job after one failed
    work: str = str(FOLDER)  # the folder of what is under way
    search: str = ""  # Hydra's sweeper and its settings, where one chooses the jobs
    by_hydra: bool = True  # whether Hydra's launcher has to run the jobs, also where they run in this process

    @property
    def folder(self) -> Path:
        """`mlruns/sweeps/ID`, or the same in `work.dir`."""
        return Path(self.work) / PLACE / self.id

    @property
    def sharing(self) -> int:
        """Jobs that share the cores and GPUs of one machine; a cluster gives each job its own."""
        return self.at_once if self.launcher in _ON_THIS_MACHINE else 1

    @property
    def is_here(self) -> bool:
        """Whether jobs run one after another in this process."""
        return self.sharing == 1 and self.launcher in _ON_THIS_MACHINE

    def job(self, number: int, name: str) -> SweepJob:
        """The place of a job in the sweep."""
        return SweepJob(self.id, self.folder, number, name, self.sharing, self.count, self.launcher)

    def name_of(self, number: int, overrides: Sequence[str]) -> str:
        """The run name of a job."""
        return self.names[number] if self.names else job_name(overrides, self.swept)

    def save(self) -> None:
        """Write it for the jobs, which may run in other processes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plan.json").write_text(json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def load(folder: Path) -> "Plan":
        """Read what `save` wrote."""
        document = json.loads((folder / "plan.json").read_text())
        known = {field.name for field in fields(Plan)}  # a later version may have written more
        values: dict[str, Any] = {key: value for key, value in document.items() if key in known}
        return Plan(**{**values, "swept": tuple(document["swept"]), "names": tuple(document["names"])})


def make_plan(overrides: Sequence[str]) -> tuple[Plan, Config, list[tuple[Config, Provenance]]]:
    """Compose and check every job.

    Returns:
        The plan, which has no id before its images are known (see `named`), a config that holds what all jobs have in common, and
        the configs and recipes of the jobs by number, none of them where a search chooses them one by one.

    Raises:
        UserError: A job can't be run.
    """
    expansion = expand(overrides)
    if (extra := _LAUNCHERS.get(expansion.launcher)) and find_spec(extra[0]) is None:
        raise UserError(f"hydra/launcher={expansion.launcher} needs an extra that is not here: pip install {extra[1]}")
    jobs = []
    with composer():
        for job in expansion.jobs or []:
            try:
                composed, provenance = compose(job)
                jobs.append((typed(composed), provenance))
            except UserError as error:
                raise UserError(f"job {' '.join(job)}: {error}") from None
    common = jobs[0][0] if jobs else typed(expansion.common)
    work = work_folder(common.work)
    plan = Plan(
        id="",
        count=expansion.count,
        swept=tuple(expansion.swept),
        names=tuple(_made_unique([job_name(job, expansion.swept) for job in expansion.jobs or []])),
        at_once=expansion.at_once,
        metric=common.objective.metric,
        direction=common.objective.direction,
        launcher=expansion.launcher,
        waits=expansion.waits,
        stops=common.sweep.on_failure == "stop",
        work=str(work),
        search="\n".join([expansion.search, *overrides]),
        by_hydra=expansion.by_hydra,
    )
    return plan, common, jobs


def named(plan: Plan, common: Config, questions: Sequence[str], search: Sequence[str] = ()) -> Plan:
    """The plan with its id, which the identities of all jobs make, or that of a search: on other images it is another sweep."""
    identity = short_hash("\n".join([common.tracking.experiment, *sorted(questions), *search]))
    return replace(plan, id=sweep_id(plan.swept, identity, common.force, Path(plan.work) / PLACE))


def sweep_id(swept: Sequence[str], fingerprint: str, force: bool, place: Path) -> str:
    """The same for the same jobs, so that a sweep that is started again is the same sweep; one that is forced is another."""
    words = [re.sub(r"[^a-z0-9]+", "_", key.rpartition(".")[2].lower()) for key in swept]
    while len("-".join(words)) > 32:
        words.pop()
    label = "-".join(words) or "sweep"
    if not force:
        return f"{label}-{fingerprint[:8]}"
    names = (f"{label}-again{again}-{fingerprint[:8]}" for again in count(1))
    return next(name for name in names if not (place / name / "results.csv").exists())


def values_of(overrides: Sequence[str]) -> dict[str, str]:
    """The value of each override, by key.

    >>> values_of(["freeze=head", "+loss.costs.covid.normal=5"])
    {'freeze': 'head', 'loss.costs.covid.normal': '5'}
    """
    return dict(override.lstrip("+").partition("=")[::2] for override in overrides)


def job_name(overrides: Sequence[str], swept: Sequence[str]) -> str:
    """A short name made of what differs from job to job.

    >>> job_name(["freeze=last_stage", "data=phantom", "optimizer.learning_rate=0.00031622"], ["freeze", "optimizer.learning_rate"])
    'last_stage-learning_rate=0.000316'
    """
    values = {key: _short(values_of(overrides).get(key, "?")) for key in swept}
    parts = [f"{key.rpartition('.')[2]}={value}" if "." in key else value for key, value in values.items()]
    return "-".join(parts) or "job"


def _short(value: str) -> str:
    try:
        return f"{float(value):.3g}" if not value.lstrip("-").isdigit() else value
    except ValueError:
        return re.sub(r"[^\w.,=+-]+", "_", value).strip("_")[:40] or "none"


def _made_unique(names: list[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]
