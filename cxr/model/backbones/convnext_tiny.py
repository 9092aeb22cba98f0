"""ConvNeXt-Tiny: a convolutional network with the design of transformers; costly, choose it with a GPU."""

import re

from cxr.model.backbone import IMAGENET, Backbone, Published, block_by, numbered

_named_block = block_by(r"convnext_tiny_(stem|stage_\d+_block_\d+)_")
_DOWN = re.compile(r"convnext_tiny_downsampling_(?:layernorm|conv)_(\d+)$")


def block_of(layer: str) -> str | None:
    """The block that a layer's name holds; a reduction of resolution is a block by itself, the first of its stage.

    >>> block_of("convnext_tiny_stem_conv"), block_of("convnext_tiny_stage_3_block_2_layer_scale")
    ('stem', 'stage_3_block_2')
    >>> block_of("convnext_tiny_downsampling_conv_0"), block_of("layer_normalization"), block_of("logits")
    ('downsampling_0', 'layer_normalization', None)
    """
    if layer == "layer_normalization":
        return layer
    if down := _DOWN.match(layer):
        return f"downsampling_{down[1]}"
    return _named_block(layer)


BACKBONE = Backbone(
    title="ConvNeXt-Tiny (Liu et al. 2022)",
    application="keras.applications.ConvNeXtTiny",
    block_of=block_of,
    stem="stem",
    stages=(
        numbered("stage_0_block_{}", 0, 2),
        ("downsampling_0", *numbered("stage_1_block_{}", 0, 2)),
        ("downsampling_1", *numbered("stage_2_block_{}", 0, 8)),
        ("downsampling_2", *numbered("stage_3_block_{}", 0, 2)),
    ),
    top=("layer_normalization",),
    pixels=IMAGENET,
    published=Published("convnext", "convnext_tiny_notop.h5", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    arguments={"include_preprocessing": False},
)
