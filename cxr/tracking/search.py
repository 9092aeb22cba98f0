"""Runs that are in the store: found by id, name, filter or fingerprint, and their files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cxr.errors import Mistake
from cxr.tracking.outbox import is_lost_connection
from cxr.tracking.store import Store
from cxr.words import nearest

FINISHED = "attributes.status = 'FINISHED'"
_ID = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True)
class LoggedRun:
    """What the store knows of a run."""

    id: str
    name: str
    status: str
    started: int  # milliseconds since 1970
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    artifacts: str = ""  # URI of the folder of its artifacts
    store: str = ""  # URI of the store that it is in

    @property
    def short_id(self) -> str:
        """Enough of the id to tell it from others, and for people to type."""
        return self.id[:8]

    def file(self, name: str) -> Path:
        """A local copy of an artifact, or the artifact itself where it is on this disk; raises `Mistake` where there is none.

        A store that was moved, or copied from another machine, still names the folders of the day: then the artifacts beside it
        are meant.
        """
        if urlsplit(self.artifacts).scheme in ("", "file"):
            logged = Path(unquote(urlsplit(self.artifacts).path))
            beside = Path(urlsplit(self.store).path.removeprefix("/")).parent / "artifacts" / self.id / "artifacts"
            for folder in (logged, beside):
                if (folder / name).is_file():
                    return folder / name
            raise Mistake(f"run {self.name} ({self.short_id}) has no {name}: it should be in {logged}")
        import mlflow

        try:
            return Path(mlflow.artifacts.download_artifacts(run_id=self.id, artifact_path=name, tracking_uri=self.store))
        except Exception as error:
            if is_lost_connection(error):
                raise
            raise Mistake(f"can't fetch {name} of run {self.name} ({self.short_id}): {error}") from None

    def has_file(self, name: str) -> bool:
        """Whether the run logged this artifact."""
        try:
            self.file(name)
        except Mistake:
            return False
        return True


def finished_runs(tags: Mapping[str, str]) -> list[LoggedRun]:
    """Finished runs with all these tags, latest first. The store has to be open."""
    return filtered_runs(" and ".join([FINISHED, *(f"tags.`{name}` = '{_quoted(value)}'" for name, value in tags.items())]))


def filtered_runs(wanted: str) -> list[LoggedRun]:
    """Runs that an MLflow filter lets through, latest first; raises `Mistake` for a filter that MLflow can't read."""
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found, token = [], None
    while True:
        try:
            page = client.search_runs(
                experiments, wanted, max_results=1000, order_by=["attributes.start_time DESC"], page_token=token
            )
        except MlflowException as error:
            if is_lost_connection(error):
                raise
            raise Mistake(f"MLflow can't use the filter {wanted!r}: {error.message}") from None
        found += [_logged(run) for run in page]
        token = page.token
        if not token:
            return found


def find_run(reference: str, store: Store) -> LoggedRun:
    """The run with this id, beginning of an id, or name (the latest of that name); raises `Mistake` if there is none."""
    runs = filtered_runs("")
    if not runs:
        raise Mistake(f"there are no runs in {store.uri}: make one with cxr, or go to the folder that you ran it in")
    by_id = [run for run in runs if _ID.fullmatch(reference) and run.id.startswith(reference)]
    if len(by_id) > 1:
        raise Mistake(f"{len(by_id)} runs have ids that begin with {reference}: write more of it")
    named = [run for run in runs if run.name == reference]
    finished = [run for run in named if run.status == "FINISHED"]
    if found := by_id or finished or named:
        return found[0]
    raise Mistake(f"there is no run {reference}: {nearest(reference, dict.fromkeys(run.name for run in runs[:20]))}")


def find_runs(references: Sequence[str], wanted: str | None, store: Store) -> list[LoggedRun]:
    """The runs named, then those that the filter lets through, each once."""
    found = [find_run(reference, store) for reference in references]
    if wanted is not None:
        found += filtered_runs(wanted)
    return list({run.id: run for run in found}.values())


def runs_by_id(ids: Sequence[str]) -> dict[str, LoggedRun]:
    """These runs, by id."""
    import mlflow

    client = mlflow.MlflowClient()
    return {run_id: _logged(client.get_run(run_id)) for run_id in dict.fromkeys(ids)}


def join_sweep(run: LoggedRun, sweep_id: str) -> None:
    """Note on a finished run that another sweep has it too."""
    import mlflow

    sweeps = run.tags.get("cxr.sweep_id", "").split()
    if sweep_id not in sweeps:
        mlflow.MlflowClient().set_tag(run.id, "cxr.sweep_id", " ".join([*sweeps, sweep_id]))


def of_sweep(sweep_id: str) -> str:
    """The filter that shows a sweep's runs, here and in the UI; a run that several sweeps share names them all.

    >>> of_sweep("freeze-1a2b")
    "tags.`cxr.sweep_id` LIKE '%freeze-1a2b%'"
    """
    return f"tags.`cxr.sweep_id` LIKE '%{_quoted(sweep_id)}%'"


def _logged(run: object) -> LoggedRun:
    import mlflow
    from mlflow.entities import Run

    assert isinstance(run, Run)
    return LoggedRun(
        artifacts=run.info.artifact_uri or "",
        store=mlflow.get_tracking_uri(),
        id=run.info.run_id,
        name=run.info.run_name or run.info.run_id[:8],
        status=run.info.status,
        started=run.info.start_time or 0,
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )


def _quoted(value: str) -> str:
    return value.replace("'", "")
