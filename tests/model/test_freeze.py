"""Freeze points: named depths, stages, blocks and layers of each backbone, resolved without Keras; unknown ones are refused."""

from dataclasses import replace

import pytest

from cxr.config.options import CONF_DIR
from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture, Layer
from cxr.model.backbone import Backbone
from cxr.model.backbones.registry import Described, backbone_of, describe
from cxr.model.freeze import FreezePoint, first_layer, resolve_freeze_point, stage_of_layers
from cxr.model.resolve import resolve
from cxr.training.phases import plan_phases
from tests.conftest import Compose

MOBILENET, DENSENET = (describe(BackboneConfig(name=name)) for name in ("mobilenet_v2", "densenet121"))


@pytest.mark.parametrize(
    ("depth", "mobilenet", "densenet"),
    [
        ("head", "head", "head"),
        ("last_block", "block_16", "conv5_block16"),
        ("last_stage", "block_13", "conv5_block1"),
        ("half", "block_8", "conv4_block11"),
        ("all", "Conv1", "conv1"),
        ("stage_2", "block_1", "conv3_block1"),
    ],
)
def test_named_depth_is_a_block_of_each_backbone(depth: str, mobilenet: str, densenet: str) -> None:
    assert (resolve_freeze_point(depth, MOBILENET).name, resolve_freeze_point(depth, DENSENET).name) == (mobilenet, densenet)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("mobilenet_v2", {"block_16_project_BN": "block_16", "bn_Conv1": "Conv1", "Conv_1": "Conv_1"}),
        ("mobilenet_v3_small", {"expanded_conv_10_project_bn": "expanded_conv_10", "conv_bn": "conv", "conv_1_bn": "conv_1"}),
        ("mobilenet_v3_small", {"expanded_conv_squeeze_excite_conv_1": "expanded_conv"}),
        ("efficientnet_v2_b0", {"stem_bn": "stem", "block6a_se_reduce": "block6a", "top_conv": "top"}),
        ("densenet121", {"conv1_bn": "conv1", "conv5_block16_2_conv": "conv5_block16", "pool3_conv": "pool3", "bn": "bn"}),
        ("resnet50_v2", {"conv1_conv": "conv1", "conv4_block6_preact_bn": "conv4_block6", "post_bn": "post"}),
    ],
)
def test_block_follows_from_the_name_of_a_layer(name: str, blocks: dict[str, str]) -> None:
    backbone = backbone_of(name)
    assert backbone is not None
    assert {layer: backbone.block_of(layer) for layer in (*blocks, "logits")} == blocks | {"logits": None}


def test_layer_is_moved_down_to_where_one_tensor_crosses() -> None:
    assert resolve_freeze_point("block_13_depthwise", MOBILENET) == FreezePoint("block_13_depthwise")
    moved = resolve_freeze_point("block_14_depthwise", MOBILENET)  # beside it runs the shortcut of its block
    assert (moved.name, "several tensors cross" in moved.note) == ("block_14_expand", True)
    assert first_layer("conv5_block3_1_conv", DENSENET) == "conv5_block3_0_bn"


@pytest.mark.parametrize("depth", ["block_17", "lats_stage", "conv5_block3", "", "none"])
def test_unknown_depth_is_refused_with_near_names(depth: str) -> None:
    with pytest.raises(UserError, match=r"is no depth, block or layer of backbone=mobilenet_v2.*cxr backbones mobilenet_v2"):
        resolve_freeze_point(depth, MOBILENET)


@pytest.mark.parametrize("names", [("a", "x", "b"), ("a", "b", "a2")], ids=["of no block", "out of its row"])
def test_layer_without_a_block_is_refused(names: tuple[str, ...]) -> None:
    layers = [Layer(name, "Conv2D", (before,), ((1,),)) for before, name in zip(("", *names), names, strict=False)]
    backbone = Backbone("tiny", "", lambda name: name[0] if name[0] in "ab" else None, stem="a", stages=(("b",),))
    with pytest.raises(UserError, match="belongs to no block at its place"):
        stage_of_layers(Described("tiny", backbone, Architecture(tuple(layers))))


def test_gradual_depths_are_resolved_and_go_down() -> None:
    gradual = FreezeConfig(trainable_from="half", gradual={"head": 2, "last_stage": 1})
    freeze = resolve(Config(freeze=gradual)).config.freeze
    assert (freeze.trainable_from, freeze.gradual) == ("block_8", {"head": 2, "block_13": 1})
    with pytest.raises(UserError, match="does not go downward"):
        resolve(Config(freeze=replace(gradual, trainable_from="last_block")))


@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 15])
@pytest.mark.parametrize("option", sorted(path.stem for path in (CONF_DIR / "freeze").glob("*.yaml")))
def test_training_of_any_length_reaches_its_last_phase(option: str, epochs: int, compose_config: Compose) -> None:
    resolved = resolve(compose_config(f"freeze={option}", f"training.epochs={epochs}"))
    phases = plan_phases(resolved.config)
    assert [phase for phase in phases if phase.epochs < 1] == []
    assert (sum(phase.epochs for phase in phases), phases[-1].trainable_from) == (epochs, resolved.config.freeze.trainable_from)
    if epochs == 15:
        assert resolved.notes == []


def test_rate_rises_at_first_only_where_the_backbone_trains_unless_the_config_says(compose_config: Compose) -> None:
    def steps(*overrides: str) -> int | None:
        return resolve(compose_config(*overrides)).config.optimizer.warmup_steps

    assert (steps(), steps("freeze=half"), steps("freeze=gradual")) == (0, None, None)
    assert steps("freeze=half", "optimizer.schedule=plateau") == 0
    assert (steps("optimizer.warmup_steps=7"), steps("freeze=half", "optimizer=adam_fast")) == (7, 0)


def test_random_weights_need_statistics_that_train() -> None:
    deep = FreezeConfig(trainable_from="all")
    notes = resolve(Config(backbone=BackboneConfig(weights="none"), freeze=deep)).notes
    assert any("choose freeze=from_scratch, or add freeze.batch_norm=train" in note for note in notes)
    (note,) = resolve(Config(backbone=BackboneConfig(weights="none"))).notes  # for a head, batch_norm does nothing
    assert note.endswith("choose freeze=from_scratch")
    for config in (
        Config(freeze=deep),
        Config(backbone=BackboneConfig(weights="none"), freeze=replace(deep, batch_norm="train")),
        Config(backbone=BackboneConfig(name="convnext_tiny", weights="none"), freeze=deep),
    ):
        assert resolve(config).notes == []


def test_pixels_come_from_the_backbone_unless_they_are_set() -> None:
    assert resolve(Config()).config.backbone.input_range == [-1.0, 1.0]
    assert resolve(Config(backbone=BackboneConfig(input_range=[0, 1]))).config.backbone.input_range == [0, 1]
    assert resolve(Config(backbone=BackboneConfig(name="densenet121"))).config.backbone.input_range is None


@pytest.mark.parametrize(
    ("backbone", "answer"),
    [
        (BackboneConfig(name="densnet121"), "did you mean densenet121"),
        (BackboneConfig(name="xception", image_size=64), "must be at least 71"),
        (BackboneConfig(name="densenet121", alpha=0.5), "has one width"),
        (BackboneConfig(name="keras_file"), "add backbone.file=FILE"),
    ],
)
def test_impossible_backbone_is_refused(backbone: BackboneConfig, answer: str) -> None:
    with pytest.raises(UserError, match=answer):
        resolve(Config(backbone=backbone))
