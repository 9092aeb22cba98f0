"""The freeze point: a named depth, stage, block or layer, resolved to the first layer that trains, and applied to a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cxr.config.schema import FreezeConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture
from cxr.model.backbone import Backbone
from cxr.model.backbones.registry import Described

HEAD = "head"
POOLED = "pooled"  # the first layer of the head
DEPTHS = (HEAD, "last_block", "last_stage", "half", "all")


@dataclass(frozen=True)
class FreezePoint:
    """How deep a network trains: `name` is a block, a layer or the head, and `note` says where it is lower than requested."""

    name: str
    note: str = ""


def resolve_freeze_point(depth: str, described: Described) -> FreezePoint:
    """The block or layer from which a backbone trains, for one of `DEPTHS`, a stage, a block or a layer.

    Where several tensors cross below it, the next lower layer where one does is taken.

    Raises:
        UserError: The depth is unknown.
    """
    if depth == HEAD:
        return FreezePoint(HEAD)
    name = named_freeze_points(described.backbone).get(depth, depth)
    places = described.architecture.places
    if name not in described.backbone.blocks and name not in places:
        raise _unknown(depth, described)
    first, wanted = first_layer(name, described), _first_of(name, described)
    between = described.architecture.layers[places[first] : places[wanted]]
    if not any(layer.weights for layer in between):
        return FreezePoint(name)
    return FreezePoint(first, f"several tensors cross below {wanted}, so training begins lower, at {first}")


def named_freeze_points(backbone: Backbone) -> dict[str, str]:
    """The block at which each named depth, and each stage, begins.

    `half` leaves the lower half of the blocks frozen, without stem and top; `last_stage` is the lowest resolution.
    """
    blocks = [block for stage in backbone.stages for block in stage]
    stages = {name: stage[0] for name, stage in zip(stage_names(backbone), backbone.stages, strict=True)}
    return {
        "last_block": blocks[-1],
        "last_stage": backbone.stages[-1][0],
        "half": blocks[len(blocks) // 2],
        "all": backbone.stem,
        **stages,
    }


def stage_names(backbone: Backbone) -> list[str]:
    """The names of the stages, from the input upward."""
    return [f"stage_{number}" for number in range(1, len(backbone.stages) + 1)]


def first_layer(name: str, described: Described) -> str:
    """The first layer that trains: the one above the highest cut below a depth, a block or a layer."""
    if name == HEAD:
        return POOLED
    architecture, name = described.architecture, named_freeze_points(described.backbone).get(name, name)
    place = architecture.places[_first_of(name, described)]
    return architecture.layers[max((cut + 1 for cut in architecture.cuts if cut < place), default=0)].name


def mid_layer(described: Described) -> str:
    """The layer below the upper half of a backbone's blocks."""
    return described.architecture.layers[described.architecture.places[first_layer("half", described)] - 1].name


def stage_of_layers(described: Described) -> dict[str, int]:
    """The stage of each layer with weights, 0 for the stem; layers above the last stage count as the last.

    Raises:
        UserError: A layer belongs to no block, or lies outside the row of its block's layers.
    """
    backbone, reached, stages = described.backbone, 0, {}
    order = {block: place for place, block in enumerate(backbone.blocks)}
    stage_of = {block: number for number, stage in enumerate(backbone.stages, 1) for block in stage}
    for layer in described.architecture.layers:
        if not layer.weights:
            continue
        block = backbone.block_of(layer.name)
        if block not in order or order[block] < reached:
            raise UserError(
                f"layer {layer.name} of backbone {described.name} belongs to no block at its place: "
                "mend block_of, stem, stages or top"
            )
        reached = order[block]
        stages[layer.name] = 0 if block == backbone.stem else stage_of.get(block, len(backbone.stages))
    return stages


def apply_freeze(layers: Sequence[Any], architecture: Architecture, first: str, freeze: FreezeConfig) -> None:
    """Set `trainable` on every layer of a flat Keras model, whose steps `architecture` lists; compile it afterwards.

    A frozen BatchNormalization layer runs on its stored statistics, in training too, and keeps its scale and shift. With
    `batch_norm="inference"` that holds for the trained blocks as well; with `"train"` they use each batch's own, and
    the stored ones follow as fast as `batch_norm_momentum` says.
    """
    start = architecture.places[first]
    for place, layer in enumerate(layers):
        normalises = architecture.layers[place].kind == "BatchNormalization"
        held = normalises and freeze.batch_norm == "inference"
        if normalises and freeze.batch_norm_momentum is not None:
            layer.momentum = freeze.batch_norm_momentum
        if hasattr(layer, "trainable"):  # an operation such as a sum has nothing to train
            layer.trainable = place >= start and not held


def _first_of(name: str, described: Described) -> str:
    """The first layer of a block; a layer itself."""
    if name not in described.backbone.blocks:
        return name
    return next(layer.name for layer in described.architecture.layers if described.backbone.block_of(layer.name) == name)


def _unknown(depth: str, described: Described) -> UserError:
    depths = [*DEPTHS, *stage_names(described.backbone)]
    close = [
        *get_close_matches(depth, [*depths, *described.backbone.blocks], n=3, cutoff=0.6),
        *get_close_matches(depth, described.architecture.places, n=3, cutoff=0.8),
    ]
    hint = f"did you mean {' or '.join(dict.fromkeys(close))}? " if close else ""
    return UserError(
        f"freeze.trainable_from={depth} is no depth, block or layer of backbone={described.name}: {hint}"
        f"(choose from: {', '.join(depths)}; cxr backbones {described.name} lists its blocks)"
    )
