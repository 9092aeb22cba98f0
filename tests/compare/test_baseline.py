"""The baseline of a run: the latest on its data and split, or the command that makes it."""

from cxr.compare.baseline import against_baseline, baseline_for, baselines_like, command_for
from cxr.config.provenance import Provenance
from tests.conftest import Compose
from tests.logged_runs import MakeRun, predicted

RECIPE = Provenance(
    {"data": "radiography", "split": "three_way"}, ("data=radiography", "data.root=x", "freeze=last_stage", "split.seed=3"), ""
)
TAGS = {"cxr.judged_on": "test", "cxr.data_fingerprint": "d", "cxr.split_fingerprint": "s"}


def test_baseline_is_the_latest_on_the_same_split(make_run: MakeRun) -> None:
    make_run("old", role="baseline")
    new = make_run("new", role="baseline")
    make_run("elsewhere", role="baseline", split="t")
    make_run("candidate")
    assert [run.name for run in baselines_like(TAGS)] == ["new", "old"]
    against = against_baseline(TAGS, predicted(2, skill=4), RECIPE)
    assert against.baseline is not None
    assert against.baseline.id == new.id
    metrics = against.metrics()
    low, high = (metrics[f"interval/vs_baseline/accuracy_{end}"] for end in ("lo", "hi"))
    assert low <= metrics["vs_baseline/accuracy"] <= high
    assert metrics["vs_baseline/accuracy"] > 0
    assert metrics["interval/vs_baseline/accuracy_p"] < 0.01
    assert metrics["interval/vs_baseline/macro_f1_p"] < 0.01


def test_missing_baseline_is_answered_with_its_command(make_run: MakeRun) -> None:
    against = against_baseline(TAGS, predicted(2, 1), RECIPE)
    assert against.baseline is None
    assert "cxr experiment=frozen_head_baseline data=radiography data.root=x split.seed=3" in against.reason
    assert "freeze" not in command_for(RECIPE)


def test_baseline_on_another_split_is_refused(make_run: MakeRun) -> None:
    make_run("elsewhere", role="baseline", split="t")
    reason = "their images were split differently (split_fingerprint t and s)"
    assert reason in against_baseline(TAGS, predicted(2, 1), RECIPE).reason


def test_baseline_for_a_run_has_its_data_and_the_presets_training(compose_config: Compose) -> None:
    config = compose_config(
        "freeze=last_stage",
        "split.seed=3",
        "data.phantom.count=60",
        "training.seed=5",
        "loss=focal",
        "training.cache=off",
        "engine=tensorflow",
    )
    made, provenance = baseline_for(config, Provenance({}, ("split.seed=3", "data.phantom.count=60", "loss=focal"), ""))
    preset = compose_config("experiment=frozen_head_baseline")
    assert (made.data, made.split, made.backbone, made.engine) == (config.data, config.split, config.backbone, config.engine)
    assert made.training.cache is False
    assert (made.freeze, made.loss, made.optimizer) == (preset.freeze, preset.loss, preset.optimizer)
    assert made.training.epochs == preset.training.epochs
    assert (made.training.seed, made.tracking.role, made.baseline.auto) == (5, "baseline", False)
    assert provenance.overrides == ("experiment=frozen_head_baseline", "split.seed=3", "data.phantom.count=60")
    assert "count: 60" in provenance.yaml
