"""`cxr backbones`: the backbones that there are, what they cost, and their stages. Loads no TensorFlow."""

from collections.abc import Iterator

from cxr.commands.arguments import parse
from cxr.commands.output import print_table
from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.backbones.registry import Described, backbone_names, backbone_of, describe
from cxr.model.freeze import first_layer, named_freeze_points
from cxr.model.weights import is_cached
from cxr.progress import plain_console
from cxr.text import nearest

_PHANTOM = BackboneConfig(name="phantom", alpha=0.35, image_size=96, weights="phantom")
_TEXTS = ("backbone", "what it is", "ImageNet weights")
_COLUMNS = (*_TEXTS[:2], "parameters", "G multiply-adds", "image size", "stages", "last_stage", _TEXTS[2])


def main(arguments: list[str]) -> None:
    """Print a table of all backbones, or the stages and blocks of one.

    Raises:
        UserError: No backbone has this name.
    """
    args = parse("backbones", arguments)
    known = [name for name in backbone_names() if name != "keras_file"]
    if args.name is None:
        print_table(_COLUMNS, map(_row, known), left=_TEXTS)
        plain_console().print(
            "  Multiply-adds are of one image at that size. last_stage: share of parameters / of multiply-adds that train with\n"
            "  freeze=last_stage. cxr backbones NAME lists stages and blocks; backbone=keras_file takes a network of your own."
        )
        return
    if args.name not in known:
        raise UserError(f"there is no backbone {args.name}: {nearest(args.name, known)}")
    described = describe(_config(args.name))
    backbone, headings = described.backbone, ("depth", "begins at", "layers above", "parameters above", "multiply-adds above")
    print_table(headings, _depths(described), backbone.title, left=headings[:2])
    plain_console().print("  freeze=last_stage and the like, or freeze.trainable_from=STAGE, BLOCK or the name of a layer.")
    stages = {"stem": (backbone.stem,), **{f"stage_{number}": blocks for number, blocks in enumerate(backbone.stages, 1)}}
    for stage, blocks in (stages | ({"top": backbone.top} if backbone.top else {})).items():
        plain_console().print(f"  {stage}: {', '.join(blocks)}")


def _config(name: str) -> BackboneConfig:
    return _PHANTOM if name == "phantom" else BackboneConfig(name=name, weights="none")


def _row(name: str) -> tuple[str, ...]:
    """The values of `_COLUMNS` of a backbone."""
    described = describe(_config(name))
    layers, backbone = described.architecture, described.backbone
    parameters, cost = layers.share_above(layers.places[first_layer("last_stage", described)])
    table_of = backbone_of(backbone.layers) if backbone.layers else backbone
    # Layers are counted for the usual image size of the backbone whose table they are in.
    scale = (backbone.usual / table_of.usual) ** 2 if table_of else 1.0
    size = f"{layers.parameters:,}", f"{layers.multiply_adds * scale / 1e9:.2f}", str(backbone.usual), str(len(backbone.stages))
    return name, backbone.title.partition(" (")[0], *size, f"{parameters:.0%} / {cost:.0%}", _weights(name, described)


def _weights(name: str, described: Described) -> str:
    if name == "phantom":
        return "no: of phantoms"
    if described.backbone.published is None:
        return "none published"
    return "here" if is_cached(name) else "to be downloaded"


def _depths(described: Described) -> Iterator[tuple[str, ...]]:
    """The depths from the top down, with what trains at each."""
    layers = described.architecture
    depths = named_freeze_points(described.backbone)
    for depth, block in sorted(depths.items(), key=lambda item: -layers.places[first_layer(item[1], described)]):
        place = layers.places[first_layer(block, described)]
        parameters, cost = layers.share_above(place)
        trained = sum(1 for layer in layers.layers[place:] if layer.weights)
        yield depth, block, str(trained), f"{parameters:.1%}", f"{cost:.1%}"
