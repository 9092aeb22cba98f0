"""Composition of conf/ by Hydra, and the answer to each kind of error."""

import re
from pathlib import Path

import pytest
import yaml

from cxr.config.compose import compose
from cxr.config.options import CONF_DIR
from cxr.errors import UserError
from cxr.model.resolve import resolve
from cxr.training.phases import plan_phases
from tests.conftest import Compose

OPTIONS = sorted(
    path.relative_to(CONF_DIR).with_suffix("").as_posix() for path in CONF_DIR.glob("*/*.yaml") if path.parent.name != "hydra"
)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes_with_a_quick_training_and_names_itself(option: str, compose_config: Compose) -> None:
    group, name = option.split("/")
    more = ["data.manifest=x.csv"] if option == "data/manifest" else []
    config = compose_config("training=quick" if group != "training" else "split=three_way", f"{group}={name}", "data.root=x", *more)
    if name != "keras_file":  # which has no network before a file is named
        assert sum(phase.epochs for phase in plan_phases(resolve(config).config)) == config.training.epochs
    if group == "optimizer":  # several options have the same update rule
        assert name.startswith(config.optimizer.name)
    elif group not in ("experiment", "hparams_search", "ablation", "input_range"):
        assert getattr(config, group).name == name


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_opens_with_a_description(option: str) -> None:
    lines = (CONF_DIR / f"{option}.yaml").read_text().splitlines()
    first = lines[1] if lines[0].startswith("# @package ") else lines[0]
    assert re.match(r"# \S.{20,}", first), f"{option} should open with a comment that says what it is"
    assert len(lines) < 40, f"{option} is no longer short"


@pytest.mark.parametrize("preset", sorted(path.stem for path in (CONF_DIR / "experiment").glob("*.yaml")))
def test_presets_open_with_their_command_and_the_measured_result(preset: str) -> None:
    text = (CONF_DIR / f"experiment/{preset}.yaml").read_text()
    assert f"cxr experiment={preset}" in text.splitlines()[1]
    assert re.search(r"accuracy \d\.\d+", text)


@pytest.mark.parametrize("preset", sorted(path.stem for path in (CONF_DIR / "experiment").glob("*.yaml")))
def test_an_option_that_is_chosen_beats_a_preset_in_every_group(preset: str, compose_config: Compose) -> None:
    """A preset chooses options and sets no value of its own, so Hydra's own rule holds: the command line has the last word."""
    content = yaml.safe_load((CONF_DIR / f"experiment/{preset}.yaml").read_text())
    assert set(content) == {"defaults"}
    for last in (0, -1):
        others = {}
        for default in content["defaults"]:
            ((override, of_preset),) = default.items()
            assert of_preset != "null"
            group = override.removeprefix("override /")
            others[group] = [path.stem for path in sorted((CONF_DIR / group).glob("*.yaml")) if path.stem != of_preset][last]
        overrides = ("data.root=x", *(f"{group}={option}" for group, option in others.items()))
        config, expected = compose_config(f"experiment={preset}", *overrides), compose_config(*overrides)
        for group in others:
            node = "backbone" if group == "input_range" else group
            assert getattr(config, node) == getattr(expected, node), f"{preset} changes {group}={others[group]}"


def test_real_data_brings_the_real_backbone_unless_another_is_named(compose_config: Compose) -> None:
    assert compose_config().backbone.name == "phantom"
    assert compose_config("data=radiography", "data.root=x").backbone.name == "mobilenet_v2"
    assert compose_config("data=folder", "data.root=x", "backbone=phantom").backbone.name == "phantom"
    assert compose_config("experiment=original_protocol", "data=radiography", "data.root=x").backbone.weights == "imagenet"


def test_original_protocol_has_the_original_values(compose_config: Compose) -> None:
    config = compose_config("experiment=original_protocol")
    assert config.backbone.input_range == [0, 1]
    assert (config.backbone.dropout, config.split.validation, config.split.test) == (0.2, 0.2, 0)
    assert (config.training.epochs, config.training.early_stopping_patience) == (6, 2)
    assert (config.optimizer.name, config.optimizer.learning_rate, config.optimizer.schedule) == ("adam", 1e-3, "constant")
    assert config.freeze.trainable_from == "head"
    assert (config.augment.rotation_degrees, config.augment.translation, config.augment.zoom) == (18, 0.05, 0.05)


@pytest.mark.parametrize(
    ("override", "answer"),
    [
        ("training.epochs=0", "training.epochs=0 is out of range: it must be at least 1"),
        ("split.test=0.9", "leave nothing to train on"),
        ("optimizer.name=adm", "did you mean adam"),
        ("freeze=gradual  freeze.gradual.head=0", "freeze.gradual.head=0 is out of range"),
        ("backbone.mean=[0.5,0.5,0.5]", "backbone.mean and backbone.std together"),
        ("engine=openvino  training.precision=mixed_bfloat16", "choose engine=tensorflow or leave engine at auto"),
        ("optimizer.schedule=plateau  optimizer.warmup_steps=3", "plateau sets the learning rate by itself"),
        ("backbone.input_range=[1,0]", "give [low,high]"),
        ("backbone.input_range=[0]", "give [low,high]"),
        ("backbone.input_range=[0,1e300]", "none beyond 100,000"),
        ("backbone.input_range=[0,1e-300]", "at least 0.001 apart"),
        ("backbone.input_range=[nan,1]", "give [low,high]"),
        ("backbone.mean=[0,0,1e300]  backbone.std=[1,1,1]", "none beyond 100,000"),
        ("backbone.mean=[0,0,0]  backbone.std=[1,1,1e-300]", "std of at least 0.001"),
        ("data=folder", "add data.root=FOLDER"),
        ("data=manifest", "add data.manifest=FILE"),
        ("data.classes=[COVID]", "at least two different classes"),
        ("loss.cost_strength=1", "loss.costs is empty"),
        ("+loss.costs.covid.normal=-1", "give a number from 0"),
        ("augment.views=0", "augment.views=0 is not known: give fresh"),
        ("augment.views=many", "augment.views=many is not known: give fresh"),
        ("+optimizer.lr=1", "there is no setting optimizer.lr: choose from: name, learning_rate"),
        ("+colour=red", "there is no group colour"),
    ],
)
def test_value_out_of_range_is_refused_with_advice(override: str, answer: str, compose_config: Compose) -> None:
    with pytest.raises(UserError, match=re.escape(answer)):
        compose_config(*override.split("  "))


def test_an_option_of_the_users_own_that_is_no_plain_yaml_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/odd.yaml").write_text("x: !!python/object/apply:os.system ['touch ran']\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="can't be read as plain YAML"):
        compose([f"hydra.searchpath=[file://{tmp_path}]", "experiment=odd"])
    assert not (tmp_path / "ran").exists()
