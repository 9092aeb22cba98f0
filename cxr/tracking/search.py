"""Runs in the store: found by id, name, filter or fingerprint."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, count

from cxr.config.renamed import renamed_params
from cxr.errors import UserError
from cxr.text import nearest, printable
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.outbox import is_lost_connection
from cxr.tracking.store import Store

ORIGIN = "cxr.origin"  # the id that a run had in the store that it was carried from
FINISHED = "attributes.status = 'FINISHED'"
CHANGED = "cxr.setting/"  # tags of settings that a run was completed with, in place of those it began with
_ID = re.compile(r"[0-9a-f]{4,32}")


def finished_runs(tags: Mapping[str, str], experiment: str | None = None) -> list[LoggedRun]:
    """Finished runs with all these tags, latest first, of one MLflow experiment or of all. The store has to be open."""
    wanted = " and ".join([FINISHED, *(f"tags.`{name}` = '{_quoted(value)}'" for name, value in tags.items())])
    return [run for run in filtered_runs(wanted, experiment) if run.is_finished]


def filtered_runs(wanted: str, experiment: str | None = None) -> list[LoggedRun]:
    """Runs that match an MLflow filter, latest first.

    Raises:
        UserError: MLflow can't read the filter.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    experiments = [entry.experiment_id for entry in client.search_experiments() if experiment in (None, entry.name)]
    if not experiments:
        return []
    runs, token = [], None
    while True:
        try:
            page = client.search_runs(
                experiments, wanted, max_results=1000, order_by=["attributes.start_time DESC"], page_token=token
            )
        except MlflowException as error:
            if is_lost_connection(error):
                raise
            raise UserError(f"MLflow can't use the filter {wanted!r}: {error.message}") from None
        runs += [_logged(run) for run in page]
        token = page.token
        if not token:
            return runs


def find_run(reference: str, store: Store) -> LoggedRun:
    """The run with this id, beginning of an id, or name.

    Raises:
        UserError: No run matches, or several finished ones do.
    """
    runs = filtered_runs("")
    if not runs:
        raise UserError(f"there are no runs in {store.uri}: make one with cxr, or go to the folder that you ran it in")
    is_id = _ID.fullmatch(reference)
    by_id = [run for run in runs if is_id and (run.id.startswith(reference) or run.tags.get(ORIGIN, "").startswith(reference))]
    if len(by_id) > 1:
        raise UserError(f"{len(by_id)} runs have ids that begin with {reference}: give more characters")
    named = [run for run in runs if run.name == reference]
    finished = [run for run in named if run.is_finished]
    if not by_id and len(finished) > 1:  # runs of version 0.2.0 and before could share a name
        listed = ", ".join(f"{run.short_id} of {run.day}" for run in finished[:10])
        more = f" and {len(finished) - 10} more" if len(finished) > 10 else ""
        raise UserError(f"{len(finished)} runs are called {reference}: name one by its id: {listed}{more}")
    if matches := by_id or finished or named:
        return matches[0]
    raise UserError(f"there is no run {reference}: {nearest(reference, dict.fromkeys(run.name for run in runs[:20]))}")


def free_name(name: str, experiment: str) -> str:
    """The name, or with the first number that no other run of the experiment has; runs that came to nothing do not count."""
    alike = filtered_runs(f"attributes.run_name LIKE '{_quoted(name)}%'", experiment)
    taken = {run.name for run in alike if run.status not in ("FAILED", "KILLED") or run.holds_training}
    numbered = (f"{name}-{number}" for number in count(2))
    return next(candidate for candidate in chain([name], numbered) if candidate not in taken)


def find_runs(references: Sequence[str], wanted: str | None, store: Store) -> list[LoggedRun]:
    """The named runs, then those that match the filter, each once."""
    runs = [find_run(reference, store) for reference in references]
    if wanted is not None:
        runs += filtered_runs(wanted)
    return list({run.id: run for run in runs}.values())


def runs_by_id(ids: Sequence[str]) -> dict[str, LoggedRun]:
    """These runs, by id."""
    import mlflow

    client = mlflow.MlflowClient()
    return {run_id: _logged(client.get_run(run_id)) for run_id in dict.fromkeys(ids)}


def runs_here(ids: Sequence[str]) -> dict[str, LoggedRun]:
    """Those of the runs that this store has, by id: others may be in stores of other machines."""
    from mlflow.exceptions import MlflowException

    runs: dict[str, LoggedRun] = {}
    for run_id in ids:
        try:
            runs |= runs_by_id([run_id])
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    return runs


def join_sweep(run: LoggedRun, sweep_id: str) -> None:
    """Tag a finished run as part of another sweep too."""
    import mlflow

    if (sweeps := with_sweep(run, sweep_id)) != run.tags.get("cxr.sweep_id"):
        mlflow.MlflowClient().set_tag(run.id, "cxr.sweep_id", sweeps)


def with_sweep(run: LoggedRun, sweep_id: str) -> str:
    """The tag of a run that is part of its own sweeps and of this one."""
    return " ".join(dict.fromkeys([*run.tags.get("cxr.sweep_id", "").split(), sweep_id]))


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
    tags = {name: printable(value) for name, value in run.data.tags.items()}
    changed = renamed_params({name.removeprefix(CHANGED): value for name, value in tags.items() if name.startswith(CHANGED)})
    return LoggedRun(
        artifacts=run.info.artifact_uri or "",
        store=mlflow.get_tracking_uri(),
        id=run.info.run_id,
        name=printable(run.info.run_name or run.info.run_id[:8]),
        status=run.info.status,
        is_active=run.info.lifecycle_stage == "active",
        started=run.info.start_time or 0,
        tags=tags,
        params=renamed_params({printable(name): printable(value) for name, value in run.data.params.items()}) | changed,
        metrics={printable(name): value for name, value in run.data.metrics.items()},
    )


def _quoted(value: str) -> str:
    return value.replace("'", "")
