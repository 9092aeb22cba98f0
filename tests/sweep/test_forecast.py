"""What a sweep would do: jobs that are finished, jobs that share a frozen part, and times of earlier runs."""

from pathlib import Path

import pytest

from cxr.commands import plan as command
from cxr.run.identity.attempt import folder_name
from cxr.run.identity.tags import run_tags
from cxr.run.prepared import PreparedRun
from cxr.sweep.forecast import forecast
from cxr.tracking.run import open_run
from cxr.tracking.store import FOLDER, Store
from cxr.tracking.unfinished import PLACE
from tests.run.conftest import prepared_run

SMALL = ("data.phantom.count=30", "audit=off", "evaluation=numbers")


def prepared(*overrides: str) -> PreparedRun:
    return prepared_run(*SMALL, *overrides)


def test_forecast_takes_times_and_frozen_parts_from_earlier_runs(fresh_store: Store) -> None:
    ran = prepared("loss=plain", "training.epochs=4")
    seconds = {"seconds/start": 2.0, "seconds/frozen": 8.0, "seconds/train": 12.0, "seconds/log": 1.0}
    with open_run(fresh_store, ran.config, "plain", run_tags(ran)) as run:
        run.log_metrics({**seconds, "test/accuracy": 0.9})
    jobs = [
        prepared("loss=focal", "training.epochs=8"),
        *(prepared(f"loss={loss}", "freeze=last_stage") for loss in ("plain", "focal")),
    ]
    same, first, second = forecast(["same", "first", "second"], jobs, has_store=True)
    assert (same.left.is_nothing, same.resumes, same.frozen, same.with_job) == (False, False, "cached", None)
    assert same.seconds == 2.0 + 24.0 + 1.0  # twice the epochs, and nothing to compute of the frozen part
    assert (first.frozen, second.frozen, second.with_job) == ("computed", "computed once, with job", 1)
    assert first.based_on == 1


def test_job_that_was_cut_off_resumes(fresh_store: Store) -> None:
    job = prepared("loss=plain")
    (FOLDER / PLACE / folder_name(job)).mkdir(parents=True)
    assert not forecast(["plain"], [job], has_store=True)[0].resumes
    (FOLDER / PLACE / folder_name(job) / "state.npz").touch()
    assert forecast(["plain"], [job], has_store=True)[0].resumes


def test_plan_starts_nothing_and_makes_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command.main(["-m", "loss=plain,focal", *SMALL])
    output = capsys.readouterr().out
    assert "2 jobs, 0 of them finished; one after another" in output
    assert "How long it takes is not known" in output
    assert not list(tmp_path.iterdir())
