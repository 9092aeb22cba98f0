"""The status of a sweep by its runs: with its folder, and from a machine that sees the store alone."""

from pathlib import Path

import mlflow
import pytest

from cxr.commands import sweep as command
from cxr.errors import UserError
from cxr.sweep.outcome import Outcome
from cxr.sweep.plan import Plan
from cxr.sweep.status import plan_and_outcomes, status_of
from cxr.tracking.run import FAILURE
from cxr.tracking.stage import FINISHED, TAG
from cxr.tracking.store import FOLDER, Store, experiment_id

ID = "loss-1a2b3c4d"


def make_run(store: Store, name: str, status: str, second: int = 1, config: str = "", **tags: str) -> str:
    client = mlflow.MlflowClient()
    of_cxr = {"cxr.sweep_id": ID, "cxr.sweep_jobs": "6", "cxr.config_fingerprint": config or name, **tags}
    run_id = str(client.create_run(experiment_id(store, "cxr"), second * 1000, of_cxr, name).info.run_id)
    for key, value in {"objective.metric": "val/accuracy", "objective.direction": "maximize", "loss.name": name}.items():
        client.log_param(run_id, key, value)
    if status == "FINISHED":
        client.set_tag(run_id, TAG, FINISHED)
        for key, number in {"seconds/train": 30.0, "seconds/log": 10.0, "val/accuracy": 0.5 + second / 100}.items():
            client.log_metric(run_id, key, number)
    if status != "RUNNING":
        client.set_terminated(run_id, status)
    return run_id


@pytest.fixture
def runs(fresh_store: Store) -> Store:
    """Two finished jobs, one that failed and then runs again, one that failed; two have not begun."""
    make_run(fresh_store, "plain", "FINISHED", 1)
    make_run(fresh_store, "focal", "FINISHED", 2)
    make_run(fresh_store, "balanced", "FAILED", 3, config="again")
    make_run(fresh_store, "balanced-2", "RUNNING", 4, config="again")
    make_run(fresh_store, "cost", "FAILED", 5, **{FAILURE: "the disk is full"})
    return fresh_store


def test_status_without_the_folder_comes_from_runs(runs: Store) -> None:
    status = status_of(ID, FOLDER)
    assert status.count == 6
    assert {job.name: job.state for job in status.jobs} == {
        "plain": "finished",
        "focal": "finished",
        "balanced-2": "running",
        "cost": "stopped",
    }
    assert {job.reason for job in status.jobs if job.state == "stopped"} == {"the disk is full"}
    assert status.number("waiting") == 2
    assert status.seconds_left() == 40.0 * 2.5  # two wait, and one is half-way


def test_status_with_the_folder_has_rejected_jobs_too(runs: Store) -> None:
    plan = Plan(ID, 6, ("loss",), ("plain", "focal", "balanced", "cost", "odd", "last"), 2, "val/accuracy", "maximize", "slurm")
    plan.save()
    Outcome(4, "odd", "rejected", reason="node7 has other images").save(plan.folder)
    status = status_of(ID, FOLDER)
    assert {job.name: job.reason for job in status.jobs if job.state == "rejected"} == {"odd": "node7 has other images"}
    assert status.number("waiting") == 1


def test_outcomes_without_the_folder_come_from_runs(runs: Store) -> None:
    plan, outcomes = plan_and_outcomes(ID, FOLDER)
    assert (plan.metric, plan.direction, plan.count) == ("val/accuracy", "maximize", 6)
    assert {outcome.name: (outcome.objective, outcome.overrides) for outcome in outcomes} == {
        "plain": (0.51, ("loss.name=plain",)),
        "focal": (0.52, ("loss.name=focal",)),
    }


def test_command_prints_the_status(runs: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["status", ID]) == 1
    output = capsys.readouterr().out
    assert f"Sweep {ID}: 6 jobs, 2 finished, 1 running, 2 waiting, 1 stopped" in output
    assert "the disk is full" in output


def test_unknown_sweep_is_refused(runs: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no sweep none-00 in this store or in"):
        status_of("none-00", tmp_path)
    mlflow.MlflowClient().create_run("0", tags={"cxr.sweep_id": "begun-00", "cxr.sweep_jobs": "2"})
    with pytest.raises(UserError, match="no job of sweep begun-00 has finished"):
        plan_and_outcomes("begun-00", tmp_path)
