"""The plan of a sweep: short names, one id for the same jobs, and every error before the first job."""

from pathlib import Path

import pytest

from cxr.errors import UserError
from cxr.sweep.plan import Plan, make_plan
from cxr.sweep.run import look_ahead
from cxr.tracking.store import Store


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planned(*overrides: str) -> Plan:
    return make_plan(overrides)[0]


def with_id(*overrides: str) -> Plan:
    """The plan once the images of its jobs were read."""
    return look_ahead(*make_plan(["data.phantom.count=30", *overrides]), Store("", None))[0]


def test_job_name_is_made_of_values_that_differ() -> None:
    plan, _, jobs = make_plan(["freeze=head,last_stage", "optimizer.learning_rate=1e-3,3e-4", "augment=none"])
    rates = ("learning_rate=0.001", "learning_rate=0.0003")
    assert plan.names == tuple(f"{depth}-{rate}" for depth in ("head", "last_stage") for rate in rates)
    assert plan.swept == ("freeze", "optimizer.learning_rate")
    assert [config.optimizer.learning_rate for config, _ in jobs] == [1e-3, 3e-4, 1e-3, 3e-4]
    assert {config.augment.name for config, _ in jobs} == {"none"}


def test_sweep_id_does_not_depend_on_the_order_of_jobs() -> None:
    plan = with_id("freeze=head,last_stage", "loss=plain,focal")
    assert with_id("loss=focal,plain", "freeze=last_stage,head").id.rpartition("-")[2] == plan.id.rpartition("-")[2]
    assert with_id("freeze=head,last_stage", "loss=plain,focal", "optimizer.momentum=0.5").id == plan.id
    assert with_id("freeze=head,last_stage", "loss=plain,balanced").id != plan.id
    assert plan.id.startswith("freeze-loss-")


def test_sweep_id_depends_on_images() -> None:
    """Also a search, whose jobs are not known before."""
    for jobs in ("loss=plain,focal", "hparams_search=covid_sensitivity"):
        one, again, other = (with_id(jobs, f"data.phantom.seed={seed}") for seed in (0, 0, 1))
        assert one.folder != other.folder
        assert one.id == again.id


def test_forced_sweep_has_another_id() -> None:
    plain, forced = with_id("loss=plain,focal"), with_id("loss=plain,focal", "force=true")
    assert forced.id == plain.id.replace("loss-", "loss-again1-")
    (forced.folder / "x").mkdir(parents=True)
    (forced.folder / "results.csv").touch()
    assert with_id("loss=plain,focal", "force=true").id == plain.id.replace("loss-", "loss-again2-")


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (["loss=plain,fcal"], "loss=fcal is not an option: did you mean focal"),
        (["optimizer.learning_rate=1e-3,fast"], "optimizer.learning_rate=fast is not a number"),
        (["training.batch_size=8,0"], "job training.batch_size=0: training.batch_size=0 is out of range"),
        (["loss=plain,focal", "objective.metric=test/accuracy"], "what chooses among runs must not be what judges them"),
    ],
)
def test_mistake_in_any_job_is_refused(overrides: list[str], answer: str) -> None:
    with pytest.raises(UserError) as mistake:
        make_plan(overrides)
    assert answer in str(mistake.value)


def test_parallel_jobs_are_counted() -> None:
    parallel = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=3")
    assert planned("loss=plain,focal,balanced,cost", *parallel).at_once == 3
    assert planned("loss=plain,focal", *parallel).at_once == 2
    assert planned("loss=plain,focal").at_once == 1


def test_search_names_jobs_by_their_overrides() -> None:
    plan, common, jobs = make_plan(["hparams_search=covid_sensitivity", "hydra.sweeper.n_trials=7"])
    assert (plan.count, plan.names, jobs) == (7, (), [])
    assert plan.metric == common.objective.metric == "val/covid/sensitivity_at_specificity"
    assert set(plan.swept) == {"loss", "freeze", "optimizer.learning_rate", "optimizer.backbone_rate"}
    values = ["loss=focal", "freeze=half", "optimizer.learning_rate=0.0031", "optimizer.backbone_rate=0.5"]
    made = plan.name_of(0, ["hparams_search=x", *values])
    assert made == "focal-half-learning_rate=0.0031-backbone_rate=0.5"


def test_saved_plan_is_read_back() -> None:
    plan = planned("loss=plain,focal")
    plan.save()
    assert Plan.load(plan.folder) == plan


@pytest.mark.parametrize(
    ("more", "by_hydra"),
    [
        ([], False),
        (["+hydra.job.env_set.NAME=value"], True),
        (["+hydra.callbacks.own._target_=hydra.experimental.callback.Callback"], True),
    ],
)
def test_hydra_runs_the_jobs_where_settings_need_it(more: list[str], by_hydra: bool) -> None:
    plan, _, jobs = make_plan(["loss=plain,balanced", *more])
    assert plan.by_hydra == by_hydra
    assert [provenance.overrides for _, provenance in jobs] == [("loss=plain",), ("loss=balanced",)]
