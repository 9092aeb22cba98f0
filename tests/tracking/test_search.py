"""Search for runs by id, name and filter, with hints for unknown ones."""

import socket
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from cxr.errors import UserError
from cxr.sweep.plan import sweep_id
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs, find_run, find_runs, finished_runs, free_name, join_sweep, of_sweep, runs_by_id
from cxr.tracking.store import Store, experiment_id


def make_run(store: Store, name: str, second: int, status: str = "FINISHED", **tags: str) -> LoggedRun:
    """A run that started at a second."""
    client = mlflow.MlflowClient()
    of_cxr = {f"cxr.{key}": value for key, value in tags.items()}
    run_id = client.create_run(experiment_id(store, "cxr"), second * 1000, of_cxr, name).info.run_id
    client.set_terminated(run_id, status)
    return runs_by_id([run_id])[run_id]


@pytest.fixture(scope="module")
def named(shared_store: Store) -> dict[str, LoggedRun]:
    """Runs of one name, of which one finished; two that share another, as in older stores; and one that failed."""
    return {
        "first": make_run(shared_store, "shared", 1),
        "same": make_run(shared_store, "shared", 2),
        "second": make_run(shared_store, "frozen", 2),
        "third": make_run(shared_store, "frozen", 3, "FAILED"),
        "failed": make_run(shared_store, "unfrozen", 4, "FAILED"),
    }


def logged(run_id: str, name: str) -> LoggedRun:
    return LoggedRun(run_id, name, "FINISHED", 0, {}, {}, {})


def test_run_is_found_by_id_beginning_of_it_or_name(named: dict[str, LoggedRun], shared_store: Store) -> None:
    """A name means the finished run of that name, where there is one."""
    wanted = {named["first"].id: "first", named["first"].short_id: "first", "frozen": "second", "unfrozen": "failed"}
    assert {reference: find_run(reference, shared_store) for reference in wanted} == {
        reference: named[run] for reference, run in wanted.items()
    }


def test_a_name_that_fits_several_runs_is_refused_with_their_list(named: dict[str, LoggedRun], shared_store: Store) -> None:
    ids = f"{named['same'].short_id} of 1970-01-01 00:00, {named['first'].short_id} of 1970-01-01 00:00"
    with pytest.raises(UserError, match=f"2 runs are called shared: name one by its id: {ids}"):
        find_run("shared", shared_store)


def test_a_new_run_gets_a_name_that_no_other_has(named: dict[str, LoggedRun], shared_store: Store) -> None:
    assert free_name("new", "cxr") == "new"
    assert free_name("shared", "cxr") == "shared-2"
    assert free_name("unfrozen", "cxr") == "unfrozen"  # the other came to nothing
    make_run(shared_store, "shared-2", 5)
    assert free_name("shared", "cxr") == "shared-3"


def test_an_id_that_is_too_short_to_tell_runs_apart_is_refused(shared_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [logged("abcd" + "0" * 28, "one"), logged("abcd" + "1" * 28, "two"), logged("2" * 32, "facade")]
    monkeypatch.setattr("cxr.tracking.search.filtered_runs", lambda wanted: runs)
    with pytest.raises(UserError, match="2 runs have ids that begin with abcd: give more characters"):
        find_run("abcd", shared_store)
    assert find_run("abcd1", shared_store).name == "two"
    assert find_run("facade", shared_store).name == "facade"  # a name may look like an id


def test_an_unknown_run_is_answered_with_those_that_there_are(
    named: dict[str, LoggedRun], shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"there is no run frozne: did you mean frozen") as mistake:
        find_run("frozne", shared_store)
    assert "unfrozen" in str(mistake.value)
    monkeypatch.setattr("cxr.tracking.search.filtered_runs", lambda wanted: [])
    with pytest.raises(UserError, match=r"there are no runs in .*make one with cxr"):
        find_run("frozen", shared_store)


def test_a_filter_lets_runs_through_latest_first_and_each_once(named: dict[str, LoggedRun], shared_store: Store) -> None:
    assert filtered_runs("attributes.status = 'FAILED'") == [named["failed"], named["third"]]
    expected = [named["second"], named["third"]]
    assert find_runs(["frozen"], "attributes.run_name = 'frozen'", shared_store) == expected


@pytest.mark.parametrize("wanted", ["status is good", "metrics.`x` = 'y'", "nonsense.x = 1"])
def test_a_filter_that_mlflow_can_not_read_is_a_mistake(wanted: str, shared_store: Store) -> None:
    with pytest.raises(UserError, match="MLflow can't use the filter") as mistake:
        filtered_runs(wanted)
    assert wanted in str(mistake.value)


def test_a_run_that_two_sweeps_share_is_found_by_both(shared_store: Store) -> None:
    both = make_run(shared_store, "both", 5, sweep_id="freeze-1a2b")
    other = make_run(shared_store, "other", 6, sweep_id="loss-9f9f")
    for _ in range(2):
        join_sweep(runs_by_id([both.id])[both.id], "loss-3c4d")
    assert runs_by_id([both.id])[both.id].tags["cxr.sweep_id"] == "freeze-1a2b loss-3c4d"
    for sweep, run in [("freeze-1a2b", both), ("loss-3c4d", both), ("loss-9f9f", other)]:
        assert [match.id for match in filtered_runs(of_sweep(sweep))] == [run.id]


def test_forced_sweep_is_another_sweep(shared_store: Store) -> None:
    plain, forced = (sweep_id(["freeze"], "5e6f7a8b9c0d1e2f", force, Path("sweeps")) for force in (False, True))
    first = make_run(shared_store, "first", 7, sweep_id=plain)
    make_run(shared_store, "forced", 8, sweep_id=forced)
    assert [run.id for run in filtered_runs(of_sweep(plain))] == [first.id]


def with_artifact(store: Store, name: str, second: int, artifact: str) -> LoggedRun:
    """A run with one artifact, which holds {}."""
    run = make_run(store, name, second)
    mlflow.MlflowClient().log_text(run.id, "{}", artifact)
    return run


def test_an_artifact_is_found_and_one_that_is_missing_is_a_mistake(shared_store: Store) -> None:
    run = with_artifact(shared_store, "with artifacts", 9, "evaluation/metrics.json")
    assert run.file("evaluation/metrics.json").read_text() == "{}"
    with pytest.raises(UserError, match=rf"run with artifacts \({run.short_id}\) has no predictions/test\.csv"):
        run.file("predictions/test.csv")
    assert run.has_file("evaluation/metrics.json")
    assert not run.has_file("evaluation")
    moved = replace(run, artifacts="file:///where/the/store/was")
    assert moved.file("evaluation/metrics.json").read_text() == "{}"


def test_artifacts_that_can_not_be_read_are_not_absent(shared_store: Store) -> None:
    run = with_artifact(shared_store, "unreadable", 10, "model/gate.npz")
    folder = Path(run.file("model/gate.npz")).parents[1]
    assert not run.has_file("model/orientation.npz")
    (folder / "model/orientation.npz").symlink_to("nowhere")
    assert run.has_file("model/orientation.npz")  # so that reading it fails
    (folder / "model").rename(folder / "away")
    assert not run.has_file("model/gate.npz")
    (folder / "model").symlink_to("model")  # a loop: no permission looks the same, except to root
    for read in (run.has_file, run.file):
        with pytest.raises(UserError, match=r"model/gate.npz of run unreadable .* can't be read: Too many levels"):
            read("model/gate.npz")
    folder.rename(folder.parent / "elsewhere")
    for read in (run.has_file, run.file):
        with pytest.raises(UserError, match=r"has no artifacts: .* is not there; bring it back, or delete the run"):
            read("model/gate.npz")


def test_a_server_that_does_not_list_artifacts_is_an_error(shared_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:  # nothing listens there
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = replace(logged("1" * 32, "away"), artifacts="mlflow-artifacts:/1/a", store=address)
    with pytest.raises(UserError, match=r"can't list the files of run away \(11111111\): "):
        run.has_file("model/gate.npz")


@pytest.mark.parametrize("headline", [True, False])
def test_a_run_of_an_earlier_version_is_finished_where_its_headline_is_there(headline: bool, fresh_store: Store) -> None:
    """It has no mark of its own, and MLflow's hook may have called it FINISHED."""
    client = mlflow.MlflowClient()
    tags = {"cxr.judged_on": "test", "cxr.role": "candidate"}
    run = client.create_run(experiment_id(fresh_store, "cxr"), tags=tags).info.run_id
    if headline:
        client.log_metric(run, "test/accuracy", 0.9)
    client.set_terminated(run, "FINISHED")
    assert [match.id for match in finished_runs({"cxr.role": "candidate"})] == ([run] if headline else [])
