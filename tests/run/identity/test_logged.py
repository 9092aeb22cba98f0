"""A logged config is restored as it was, whatever the presets are today; all misfits are reported at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from cxr.config.schema import BaselineConfig, Config, TrackingConfig
from cxr.errors import UserError
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.resolve import resolve
from cxr.run.identity.logged import Restored, read_logged, restore
from cxr.tracking.logged_run import LoggedRun
from tests.logged_runs import CLASSES
from tests.untrained_runs import LogRun, leave_out, say, say_overrides


def restored(run: LoggedRun, *elsewhere: str) -> Restored:
    return restore(read_logged(run), list(elsewhere))


def experiment_of(config: Config) -> Config:
    """A config but for where it is kept and how it is run."""
    training = replace(config.training, threads=None)
    return replace(config, tracking=TrackingConfig(), baseline=BaselineConfig(), force=False, training=training)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("experiment=original_protocol", "training.epochs=3"),
        ("loss=cost", "+loss.costs.normal.covid=2"),
        ("optimizer=sgd", "optimizer.schedule=plateau", "freeze=half", "optimizer.learning_rate=1e-5"),
        ("augment=strong", "training.precision=mixed_bfloat16", "training.early_stopping_patience=null"),
        ("data.classes=[COVID,Normal]", "split.seed=7", "objective=log_loss"),
        ("data=radiography", "data.root={phantoms}", "backbone=phantom", "split=train_val_80_20"),
    ],
    ids=" ".join,
)
def test_a_run_comes_back_as_it_was(overrides: tuple[str, ...], phantoms: Path, log_run: LogRun) -> None:
    words = [override.format(phantoms=phantoms) for override in overrides]
    run, config = log_run(*words)
    again = restored(run)
    assert experiment_of(with_costs_by_class(resolve(again.config).config, CLASSES)) == experiment_of(config)
    assert (again.changed, again.notes) == ([], [])
    assert set(words) <= set(again.provenance.overrides)
    assert again.provenance.reproduces == run.id


def test_restored_run_has_a_name_of_its_own_the_store_of_today_and_as_many_threads(run: LoggedRun) -> None:
    say(run, "tracking.uri", "http://elsewhere.example:5000")
    say(run, "tracking.experiment", "lungs")
    say(run, "work.dir", "/elsewhere")  # of the machine that it ran on
    config = restored(run).config
    assert config.tracking == TrackingConfig(experiment="lungs", run_name=f"{run.name}-again")
    assert (config.training.threads, config.force, config.work.dir) == (2, True, None)


@pytest.mark.parametrize(
    ("depth", "changed"), [("block_12", [("freeze.trainable_from", "block_12", "block_16")]), ("block_16", [])]
)
def test_logged_value_is_used_and_listed_where_a_preset_changed(depth: str, changed: list[object], run: LoggedRun) -> None:
    """Version 0.2 logged block_16 and the range of MobileNetV2, where options of today leave both to the backbone."""
    say(run, "freeze.trainable_from", depth)
    say(run, "backbone.input_range", [-1.0, 1.0])
    again = restored(run)
    assert again.config.freeze.trainable_from == depth
    assert again.changed == changed


def test_a_setting_that_is_new_since_then_gets_what_the_arguments_give_today(run: LoggedRun) -> None:
    leave_out(run, "training.seed")
    leave_out(run, "freeze.batch_norm")
    again = restored(run)
    assert (again.config.training.seed, again.config.freeze.batch_norm) == (3, "inference")
    assert again.notes == ["freeze.batch_norm is new since then: inference", "training.seed is new since then: 3"]


def test_all_misfits_are_reported_at_once(run: LoggedRun) -> None:
    problems: dict[str, object] = {
        "colours": {"red": 1},  # no such group
        "optimizer.colour": "red",  # no such setting
        "data.phantom.colour": "red",
        "training.epochs": "many",
        "split.seed": {"a": 1},
        "augment": "strong",
        "optimizer.name": "adm",
        "training.batch_size": 0,  # out of range
    }
    for key, value in problems.items():
        say(run, key, value)
    with pytest.raises(UserError) as error:
        restored(run)
    assert [key for key in problems if key not in str(error.value)] == []


@pytest.mark.parametrize("override", ["freeze=tp_block", "freeze=null", "freez=head", "training.epochs=[1"])
def test_overrides_that_no_longer_compose_are_noted_and_the_logged_values_used(override: str, run: LoggedRun) -> None:
    before = experiment_of(restored(run).config)
    say_overrides(run, override)
    again = restored(run)
    assert experiment_of(again.config) == before
    assert len(again.notes) == 1


def test_places_that_changed_can_be_given(run: LoggedRun) -> None:
    places = ("data.root=elsewhere", "backbone.weights=weights.h5", "tracking.experiment=lungs", "work.dir=/here")
    config = restored(run, *places, "training.threads=3").config
    assert (config.data.root, config.backbone.weights, config.work.dir) == ("elsewhere", "weights.h5", "/here")
    assert (config.training.threads, config.tracking.experiment) == (3, "lungs")
    assert restored(run, "data.root='it\\'s (1)'", "work.dir=null").config.data.root == "it's (1)"


@pytest.mark.parametrize(
    "override", ["optimizer.learning_rate=1", "data.phantom.count=60", "training.threads=0", "data.root", "+force=true"]
)
def test_setting_that_bears_on_the_result_can_not_be_changed(override: str, run: LoggedRun) -> None:
    with pytest.raises(UserError, match=override.lstrip("+").partition("=")[0]):
        restored(run, override)
