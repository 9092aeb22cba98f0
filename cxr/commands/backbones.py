"""`cxr backbones`: the backbones that there are, what they cost, and their stages. Loads no TensorFlow."""

from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.backbones.registry import Described, backbone_names, backbone_of, describe
from cxr.model.freeze import first_layer, named_freeze_points
from cxr.model.weights import is_cached
from cxr.progress import plain_console, wide_console
from cxr.text import nearest

_PHANTOM = BackboneConfig(name="phantom", alpha=0.35, image_size=96, weights="phantom")


def main(arguments: list[str]) -> None:
    """Print a table of all backbones, or the stages and blocks of one."""
    args = parse("backbones", arguments)
    known = [name for name in backbone_names() if name != "keras_file"]
    if args.name is None:
        wide_console().print(_all(known))
        plain_console().print(
            "  Multiply-adds are of one image at that size. last_stage: share of parameters / of multiply-adds that train with\n"
            "  freeze=last_stage. cxr backbones NAME lists stages and blocks; backbone=keras_file takes a network of your own."
        )
        return
    if args.name not in known:
        raise UserError(f"there is no backbone {args.name}: {nearest(args.name, known)}")
    described = describe(_config(args.name))
    wide_console().print(_stages(described))
    plain_console().print("  freeze=last_stage and the like, or freeze.trainable_from=STAGE, BLOCK or the name of a layer.")
    for stage, blocks in _blocks(described).items():
        plain_console().print(f"  {stage}: {', '.join(blocks)}")


def _config(name: str) -> BackboneConfig:
    return _PHANTOM if name == "phantom" else BackboneConfig(name=name, weights="none")


def _all(names: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    left, right = ("backbone", "what it is"), ("parameters", "G multiply-adds", "image size", "stages", "last_stage")
    for heading in (*left, *right, "ImageNet weights"):
        table.add_column(heading, justify="right" if heading in right else "left")
    for name in names:
        described = describe(_config(name))
        layers, backbone = described.architecture, described.backbone
        place = layers.places[first_layer("last_stage", described)]
        parameters, cost = layers.share_above(place)
        table_of = backbone_of(backbone.layers) if backbone.layers else backbone
        # Layers are counted for the usual image size of the backbone whose table they are in.
        scale = (backbone.usual / table_of.usual) ** 2 if table_of else 1.0
        table.add_row(
            name,
            backbone.title.partition(" (")[0],
            f"{layers.parameters:,}",
            f"{layers.multiply_adds * scale / 1e9:.2f}",
            str(backbone.usual),
            str(len(backbone.stages)),
            f"{parameters:.0%} / {cost:.0%}",
            _weights(name, described),
        )
    return table


def _weights(name: str, described: Described) -> str:
    if name == "phantom":
        return "no: of phantoms"
    if described.backbone.published is None:
        return "none published"
    return "here" if is_cached(name) else "to be downloaded"


def _stages(described: Described) -> Table:
    """The depths from the top down, with what trains at each."""
    table = Table(title=described.backbone.title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("depth", "begins at", "layers above", "parameters above", "multiply-adds above"):
        table.add_column(heading, justify="left" if heading in ("depth", "begins at") else "right")
    layers = described.architecture
    depths = named_freeze_points(described.backbone)
    for depth, block in sorted(depths.items(), key=lambda item: -layers.places[first_layer(item[1], described)]):
        place = layers.places[first_layer(block, described)]
        parameters, cost = layers.share_above(place)
        trained = sum(1 for layer in layers.layers[place:] if layer.weights)
        table.add_row(depth, block, str(trained), f"{parameters:.1%}", f"{cost:.1%}")
    return table


def _blocks(described: Described) -> dict[str, tuple[str, ...]]:
    backbone = described.backbone
    stages = {f"stage_{number}": blocks for number, blocks in enumerate(backbone.stages, 1)}
    return {"stem": (backbone.stem,), **stages, **({"top": backbone.top} if backbone.top else {})}
