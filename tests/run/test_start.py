"""Trained once, never again: no failure repeats an epoch, and no incomplete run is called finished."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cxr.errors import RunFailed, UserError
from cxr.run.identity.attempt import RunResult
from cxr.run.identity.remaining import remaining
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import Store
from tests.run.conftest import breaking, broken, do_run, prepared_run

EPOCHS = 2
SMALL = (
    *("data.phantom.count=40", f"training.epochs={EPOCHS}", "training.threads=1", "augment=none"),
    *("evaluation.resamples=100", "evaluation.figure_dpi=50"),
)
PICTURES = ("evaluation.saliency_images=1", "evaluation.failures=1")
NO_PICTURES = ("evaluation.pictures=false",)
# What breaks, in the order of a run, and what the run's own line calls it: "" before the training is kept.
STAGES = {
    "cxr.run.fit.predict.save_model": "",
    "cxr.run.fit.predict.verify": "",
    "cxr.tracking.run.Run.log_model": "",
    "cxr.run.pipeline.assess_run": "the assessment of its predictions",
    "cxr.run.report.artifacts.write_part_results": "the assessment of its predictions",
    "cxr.run.report.explain.draw_pictures": "Grad-CAM",
    "cxr.compare.baseline.baselines_like": "its report",
    "cxr.run.report.artifacts.assessment_figures": "its report",
    "cxr.run.report.artifacts.write_report": "its report",
    "cxr.run.report.reporting.record_costs": "its report",
}

Do = Callable[[], RunResult]


@pytest.fixture(params=[NO_PICTURES], ids=["numbers"])
def do(fresh_store: Store, small_backbone: tuple[str, ...], request: pytest.FixtureRequest) -> Do:
    """The same run as often as it is called, each time as a process of its own would do it."""
    return partial(do_run, *SMALL, *small_backbone, *request.param)


def only_run() -> LoggedRun:
    (run,) = filtered_runs("")
    return run


@pytest.mark.parametrize("do", [PICTURES], indirect=True, ids=["with pictures"])
def test_a_run_that_fails_at_each_stage_is_trained_once(do: Do, trained: list[int]) -> None:
    """One run that fails at one stage after the other: each attempt resumes where the one before ended."""
    for place, what in STAGES.items():
        with broken(place) as failure:
            do()
        run = only_run()
        assert (run.status, run.is_finished) == ("FAILED", False), place
        assert "No space left on device" in run.tags["cxr.failure"]
        assert run.holds_training == (what != "")
        if what:
            assert f"is trained, and model and predictions are kept, but {what} failed" in str(failure.value)
            assert run.has_file("model/model.keras")
    end, again = do(), only_run()
    assert end.run_id == again.id
    assert (again.status, again.is_finished, "cxr.failure" in again.tags) == ("FINISHED", True, False)
    assert again.has_file("report.html")
    assert 0 <= again.metrics["test/accuracy"] <= 1
    assert len(trained) == EPOCHS
    assert not [path for path in Path("mlruns/unfinished").iterdir() if path.is_dir()]
    assert list(Path("mlruns/scratch").iterdir()) == []
    steps = [point.step for point in mlflow.MlflowClient().get_metric_history(again.id, "train/loss")]
    assert sorted(set(steps)) == list(range(1, EPOCHS + 1))


def test_artifacts_that_can_not_be_written_cost_no_training(do: Do, trained: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """At the real place: where the artifacts should go there is a file all of a sudden."""
    from cxr.model.saved import save_model

    def and_then(*arguments: Any) -> None:
        save_model(*arguments)
        Path("mlruns/artifacts").rename("mlruns/elsewhere")
        Path("mlruns/artifacts").write_text("in the way")

    with monkeypatch.context() as patch:
        patch.setattr("cxr.run.fit.predict.save_model", and_then)
        with pytest.raises(RunFailed, match=r"the store in .* can't be used"):
            do()
    assert only_run().status == "FAILED"
    Path("mlruns/artifacts").unlink()
    Path("mlruns/elsewhere").rename("mlruns/artifacts")
    assert do().run_id == only_run().id
    assert len(trained) == EPOCHS


def test_finished_run_is_used_only_with_its_role_experiment_and_files(do: Do, small_backbone: tuple[str, ...]) -> None:
    run_id, prepared = do().run_id, prepared_run(*SMALL, *small_backbone, *NO_PICTURES)

    def twin(**tracking: Any) -> LoggedRun | None:
        changed = replace(prepared.config, tracking=replace(prepared.config.tracking, **tracking))
        left = remaining(replace(prepared, config=changed))
        return left.run if left.is_nothing else None

    assert (earlier := twin()) is not None
    assert earlier.id == run_id
    assert twin(experiment="other") is None
    assert twin(role="baseline") is None
    shutil.rmtree(only_run().file("report.html").parent / "model")
    assert twin() is None


@pytest.mark.parametrize("do", [PICTURES], indirect=True, ids=["with pictures"])
def test_evaluate_makes_the_report_that_is_missing(do: Do, trained: list[int]) -> None:
    """In the run itself, without its images; the numbers are those of the run's own command."""
    from cxr.commands.evaluate import main

    with broken("cxr.run.report.explain.draw_pictures") as failure:
        do()
    before = only_run()
    assert f"or cxr evaluate {before.short_id}, makes what is missing" in str(failure.value)
    with pytest.raises(UserError, match="make it first"):
        main([before.id, "evaluation.sensitivity=0.9"])
    main([before.id])
    run = only_run()
    assert (run.id, run.is_finished, len(trained)) == (before.id, True, EPOCHS)
    assert run.metrics["test/accuracy"] == before.metrics["test/accuracy"]
    assert run.has_file("report.html")
    assert not [path for path in Path("mlruns/unfinished").iterdir() if path.is_dir()]
    main([before.id, "evaluation.sensitivity=0.9"])
    assert len(filtered_runs("")) == 2


def test_a_run_is_not_finished_before_its_last_mark(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store takes neither the failure nor the status: the run stays RUNNING, and the next command sees that nobody is there."""
    from cxr.tracking import outbox

    send = outbox.send

    def refusing(run_id: str, item: dict[str, Any]) -> None:
        tags = item.get("tags", {})
        if item["kind"] == "end" or tags.get("cxr.stage") == "finished" or "cxr.failure" in tags:
            breaking()
        send(run_id, item)

    with monkeypatch.context() as patch:
        patch.setattr("cxr.tracking.run.send", refusing)
        with pytest.raises(RunFailed):
            do()
    assert (only_run().status, only_run().is_finished) == ("RUNNING", False)
    do()
    assert (only_run().status, only_run().is_finished) == ("FINISHED", True)


def test_images_that_the_cache_loses_are_read_again(
    do: Do, trained: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Their file is cut off after training, which would end a process that had it mapped into memory."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    from cxr.training.verify import verify

    def after_a_cut(*arguments: Any) -> Any:
        if not (tmp_path / "cut").exists():
            for file in (tmp_path / "cache/decoded").rglob("*.npy"):
                os.truncate(file, 200)
                (tmp_path / "cut").touch()
        return verify(*arguments)

    monkeypatch.setattr("cxr.run.fit.predict.verify", after_a_cut)
    do()
    assert (tmp_path / "cut").exists()
    assert only_run().is_finished
    assert len(trained) == EPOCHS


def test_the_role_of_a_baseline_is_the_presets_alone(fresh_store: Store) -> None:
    def role(*overrides: str) -> str:
        prepared = prepared_run("data.phantom.count=40", "experiment=frozen_head_baseline", *overrides)
        assert f"role: {prepared.config.tracking.role}" in prepared.provenance.yaml
        return prepared.config.tracking.role

    assert role() == role("training.seed=3", "split.seed=2", "evaluation.figure_dpi=60", "backbone.dropout=0.1") == "baseline"
    assert role("freeze=last_stage") == role("training=quick") == role("loss.focal_gamma=2") == "candidate"
