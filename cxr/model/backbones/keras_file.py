"""A network of the user's own in a `.keras` file: `backbone.file`. Its blocks are the pieces between its narrowest places."""

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture
from cxr.model.backbone import Backbone, in_range
from cxr.model.keras_archive import Archive, content_sha256, read_archive
from cxr.system import expanded

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
_KERNELS = (*_CONVOLUTIONS, "Dense")
_OWN_SCALING = ("Rescaling", "Normalization")
_FLAT = ("GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape")


def file_sha256(config: BackboneConfig) -> str | None:
    """The hash of the content of `config.file`, in hex; None without a file."""
    return None if config.file is None else content_sha256(expanded(config.file))


def describe(config: BackboneConfig) -> tuple[Backbone, Architecture]:
    """The backbone in `config.file`, up to its last feature map.

    Raises:
        UserError: The file is not there or can't be one.
    """
    if config.file is None:
        raise UserError("backbone=keras_file needs to know which: add backbone.file=FILE, the path of a .keras file")
    path = expanded(config.file)
    if not path.is_file():
        raise UserError(f"backbone.file={config.file}: no such file; give the path of a .keras file")
    try:
        archive = read_archive(path)
        architecture = _up_to_last_map(archive)
    except ValueError as reason:
        raise UserError(f"backbone.file={config.file} can't be a backbone: {reason}") from None
    _check_image(config, archive)
    scales_itself = architecture.layers[0].kind in _OWN_SCALING
    if not scales_itself and config.input_range is None and config.mean is None:
        raise UserError(
            "backbone=keras_file needs to know which grey levels its weights expect: add backbone.input_range=[-1,1] or another "
            "range, or backbone.mean=[...] and backbone.std=[...] (the file has no layer that scales them)"
        )
    block_of_layer = _blocks_of_layers(architecture)
    names = list(dict.fromkeys(block_of_layer.values()))
    backbone = Backbone(
        title=path.name,
        application="cxr.model.construction.network_of_file",
        block_of=block_of_layer.get,
        stem=names[0],
        stages=_stages(names, [block_of_layer[layer] for layer in block_of_layer if layer in archive.reducing]),
        pixels=in_range(0, 255),
        smallest=1,
        usual=config.image_size,
        arguments={"path": str(path.resolve()), "last": architecture.layers[-1].name},
    )
    return backbone, architecture


def _up_to_last_map(archive: Archive) -> Architecture:
    """The layers that the last feature map is made of."""
    layers = archive.architecture.layers
    last = layers[-1]
    before = set(last.inputs) & archive.maps
    open_end = last.kind not in _FLAT and (before or len(layers) == 1)
    maps = [layer for layer in layers if layer.name in archive.maps or (layer is last and open_end)]
    if not maps or not any(layer.kind in _CONVOLUTIONS for layer in layers):
        raise ValueError("it has no convolution, and so no feature maps")
    needed = {maps[-1].name}
    for layer in reversed(layers):
        if layer.name in needed:
            needed |= set(layer.inputs)
    return Architecture(tuple(layer for layer in layers if layer.name in needed))


def _check_image(config: BackboneConfig, archive: Archive) -> None:
    rows, columns, channels = archive.image if len(archive.image) == 3 else (None, None, None)
    if channels != 3:
        raise UserError(f"backbone.file={config.file} takes images of shape {archive.image}: a backbone takes three equal channels")
    if (rows or config.image_size) != config.image_size or (columns or config.image_size) != config.image_size:
        raise UserError(f"backbone.file={config.file} takes images of {rows}x{columns}: add backbone.image_size={rows}")


def _blocks_of_layers(architecture: Architecture) -> dict[str, str]:
    """The block of each layer: it reaches from cut to cut, and is called after its first convolution, of which it has one."""
    block_of: dict[str, str] = {}
    start = 0
    for end in [*architecture.cuts, len(architecture.layers) - 1]:
        piece = architecture.layers[start : end + 1]
        if kernels := [layer.name for layer in piece if layer.kind in _KERNELS]:
            block_of |= dict.fromkeys((layer.name for layer in piece), kernels[0])
            start = end + 1
    return block_of | dict.fromkeys((layer.name for layer in architecture.layers[start:]), [*block_of.values()][-1])


def _stages(names: list[str], reducing: list[str]) -> tuple[tuple[str, ...], ...]:
    """The blocks after the first, in stages: each begins at a block that lowers the resolution.

    >>> _stages(["a", "b", "c", "d", "e"], ["a", "c", "e"])
    (('b',), ('c', 'd'), ('e',))
    """
    stages: list[tuple[str, ...]] = []
    for name in names[1:] or names:
        if not stages or name in reducing:
            stages.append((name,))
        else:
            stages[-1] = (*stages[-1], name)
    return tuple(stages)
