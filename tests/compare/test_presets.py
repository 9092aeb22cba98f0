"""The preset of a run: known by the run's config, not by its name."""

from dataclasses import replace

import pytest

from cxr.compare.presets import about, preset_names, preset_of
from cxr.config.compose import compose, typed
from cxr.config.fields import flat_params
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.resolve import resolve
from tests.logged_runs import CLASSES, MakeRun


@pytest.mark.parametrize("preset", preset_names())
def test_run_of_a_preset_is_recognised(preset: str, make_run: MakeRun) -> None:
    assert preset_of(make_run("any name", preset=preset, training_seed=3)) == preset
    assert about(preset).endswith(".")


@pytest.mark.parametrize("preset", preset_names())
def test_run_of_a_preset_with_the_real_backbone_is_recognised(preset: str, make_run: MakeRun) -> None:
    """Its depth is logged as a block of that backbone, and its range of grey levels as that of the weights."""
    run = make_run("real", preset=preset)
    real = ("data=radiography", "data.root=anywhere", "backbone.weights=a file", "split=kfold", "split.fold=2")
    config = with_costs_by_class(resolve(typed(compose([f"experiment={preset}", *real])[0])).config, CLASSES)
    run.file("config/choices.yaml").write_text(f"experiment: {preset}\ndata: radiography\nbackbone: mobilenet_v2\n")
    assert preset_of(replace(run, params=flat_params(config))) == preset


def test_costs_of_a_preset_are_those_of_the_classes_of_its_run(make_run: MakeRun) -> None:
    run = make_run("run", preset="high_sensitivity")
    assert run.params["loss.costs"] == '{"covid": {"normal": 5, "viral_pneumonia": 2}}'  # as before costs had roles
    own = {"loss.costs": '{"old_tb": {"l\\u00e4sion": 2, "no_finding": 5}}', "evaluation.urgent": "Old TB"}
    assert preset_of(replace(run, params={**run.params, **own})) == "high_sensitivity"
    for costs in ('{"covid": {"normal": 5, "viral_pneumonia": 3}}', '{"a": {"b": 5}}', "[]", '{"a": 1}', "{"):
        assert preset_of(replace(run, params={**run.params, "loss.costs": costs})) is None, costs


def test_changed_value_of_the_recipe_is_no_preset(make_run: MakeRun) -> None:
    run = make_run("run", preset="fast")
    for key, value in (("training.epochs", "6"), ("loss.label_smoothing", "0.1"), ("backbone.input_range", "[0.0, 1.0]")):
        assert preset_of(replace(run, params={**run.params, key: value})) is None, key
    neutral = {"training.seed": "7", "evaluation.specificity": "0.9", "split.name": "kfold", "data.root": "elsewhere"}
    for key, value in neutral.items():
        assert preset_of(replace(run, params={**run.params, key: value})) == "fast", key


def test_settings_newer_than_a_run_count_as_off(make_run: MakeRun) -> None:
    run = make_run("run", preset="fast")
    older = {key: value for key, value in run.params.items() if key not in ("training.weight_average", "prepare.crop")}
    assert preset_of(replace(run, params=older)) == "fast"
    without_its_own = {key: value for key, value in run.params.items() if key != "training.epochs"}
    assert preset_of(replace(run, params=without_its_own)) is None


def test_run_without_a_preset_has_none(make_run: MakeRun) -> None:
    run = make_run("run")
    assert preset_of(run) is None
    for text in ("experiment: of mine\n", "- a list\n", "{"):
        run.file("config/choices.yaml").write_text(text)
        assert preset_of(run) is None
