"""Datasets of runs that are logged side by side."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cxr.tracking.models import log_dataset


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        (["(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id, datasets.name, datasets.digest"], 2),
        (["duplicate key value violates unique constraint"], 2),
        ([], 1),
    ],
)
def test_dataset_that_another_run_logs_at_the_same_moment_is_taken(
    answers: list[str], calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged, left = [], list(answers)

    def log_inputs(_: MlflowClient, run_id: str, inputs: list[object]) -> None:
        logged.append(run_id)
        if left:
            raise MlflowException(left.pop())

    monkeypatch.setattr(MlflowClient, "log_inputs", log_inputs)
    log_dataset("r", "phantom", "d", {})
    assert logged == ["r"] * calls


def test_other_error_of_the_store_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_inputs(_: MlflowClient, run_id: str, inputs: list[object]) -> None:
        raise MlflowException("database or disk is full")

    monkeypatch.setattr(MlflowClient, "log_inputs", log_inputs)
    with pytest.raises(MlflowException, match="disk is full"):
        log_dataset("r", "phantom", "d", {})
