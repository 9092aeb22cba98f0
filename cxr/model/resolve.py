"""The values that a config leaves open: depths as blocks or layers, grey levels as the weights expect them, warm-up by depth."""

from dataclasses import dataclass, replace
from itertools import pairwise

from cxr.config.schema import BackboneConfig, Config, FreezeConfig, OptimizerConfig
from cxr.errors import UserError
from cxr.model.backbone import Backbone, InputScaling, in_range, standardised
from cxr.model.backbones.registry import Described, describe
from cxr.model.freeze import HEAD, resolve_freeze_point, stage_of_layers


@dataclass(frozen=True)
class Resolved:
    """A config with these values, and what the user should know of them."""

    config: Config
    notes: list[str]


def resolve(config: Config) -> Resolved:
    """Resolve a config without importing Keras.

    Raises:
        UserError: The backbone does not have or can't do what the config names.
    """
    described = describe(config.backbone)
    stage_of_layers(described)
    if config.backbone.image_size < described.backbone.smallest:
        raise UserError(
            f"backbone.image_size={config.backbone.image_size} is too small for {described.backbone.title}: "
            f"it must be at least {described.backbone.smallest}"
        )
    start = resolve_freeze_point(config.freeze.trainable_from, described)
    earlier = {resolve_freeze_point(depth, described): epochs for depth, epochs in config.freeze.gradual.items()}
    gradual = {point.name: epochs for point, epochs in earlier.items()}
    _check_order(config, [*gradual, start.name], described)
    wanted = replace(config.freeze, trainable_from=start.name, gradual=gradual)
    freeze = _shortened(wanted, config.training.epochs)
    notes = [f"  freeze: {point.note}" for point in (start, *earlier) if point.note]
    if freeze != wanted:
        notes.append(f"  freeze: training.epochs={config.training.epochs} shortens what comes before its last phase")
    normalised = any(layer.kind == "BatchNormalization" for layer in described.architecture.layers)
    if config.backbone.weights == "none" and normalised and freeze.batch_norm == "inference":
        otherwise = "" if freeze.trainable_from == HEAD else ", or add freeze.batch_norm=train"
        notes.append(f"  backbone.weights=none: an untrained backbone has no statistics yet; choose freeze=from_scratch{otherwise}")
    backbone, optimizer = _with_pixels(config.backbone, described.backbone), _with_warmup(config.optimizer, freeze)
    return Resolved(replace(config, freeze=freeze, backbone=backbone, optimizer=optimizer), notes)


def pixels_of(config: BackboneConfig, backbone: Backbone) -> InputScaling:
    """How grey levels reach a backbone: as the config says, else as its weights expect them."""
    if config.mean is not None and config.std is not None:
        return standardised(config.mean, config.std)
    return in_range(*config.input_range) if config.input_range is not None else backbone.pixels


def _shortened(freeze: FreezeConfig, epochs: int) -> FreezeConfig:
    """Freezing whose warm-up and earlier depths leave one of the epochs at least to the last phase."""
    if freeze.trainable_from == HEAD:
        return freeze
    left, gradual = epochs - 1, {}
    for depth, count in freeze.gradual.items():
        gradual[depth] = min(count, left)
        left -= gradual[depth]
    within = {depth: count for depth, count in gradual.items() if count}
    return replace(freeze, gradual=within, warmup_epochs=min(freeze.warmup_epochs, epochs - 1))


def _with_warmup(optimizer: OptimizerConfig, freeze: FreezeConfig) -> OptimizerConfig:
    """An optimizer whose rate rises at first only where it can, and where pretrained weights would suffer otherwise."""
    has_none = (freeze.trainable_from == HEAD and not freeze.gradual) or optimizer.schedule == "plateau"
    return replace(optimizer, warmup_steps=0) if optimizer.warmup_steps is None and has_none else optimizer


def _with_pixels(config: BackboneConfig, backbone: Backbone) -> BackboneConfig:
    """The config with the range of the backbone, where that is one range for all channels."""
    is_set = config.input_range is not None or config.mean is not None
    scale, offset = backbone.pixels.scale[0], backbone.pixels.offset[0]
    if is_set or backbone.pixels != InputScaling((scale,) * 3, (offset,) * 3):
        return config
    return replace(config, input_range=[offset, round(255 * scale + offset, 12)])


def _check_order(config: Config, depths: list[str], described: Described) -> None:
    """Raise `UserError` where a depth of gradual unfreezing is not below the one before it."""
    if len(depths) == 1:
        return
    places = described.architecture.places
    blocks = {block: places[layer] for layer in reversed(places) if (block := described.backbone.block_of(layer))}
    order = [len(places) if depth == HEAD else blocks.get(depth, places.get(depth, 0)) for depth in depths]
    if any(above <= below for above, below in pairwise(order)):
        raise UserError(
            f"freeze.gradual={config.freeze.gradual} with freeze.trainable_from={config.freeze.trainable_from} does not go "
            "downward: name depths from the head down, each below the one before"
        )
