"""Xception: depthwise separable convolutions at full width."""

from cxr.model.backbone import Backbone, Published, block_by, numbered

_named_block = block_by(r"(block\d+)_")
# Keras gives no names to the shortcuts of these blocks.
_SHORTCUTS = {
    f"{kind}{suffix}": block
    for suffix, block in (("", "block2"), ("_1", "block3"), ("_2", "block4"), ("_3", "block13"))
    for kind in ("conv2d", "batch_normalization")
}


def block_of(layer: str) -> str | None:
    """The block of a layer.

    >>> block_of("block14_sepconv2_bn"), block_of("conv2d_3"), block_of("batch_normalization"), block_of("logits")
    ('block14', 'block13', 'block2', None)
    """
    return _named_block(layer) or _SHORTCUTS.get(layer)


BACKBONE = Backbone(
    title="Xception (Chollet 2017)",
    application="keras.applications.Xception",
    block_of=block_of,
    stem="block1",
    stages=(("block2",), ("block3",), numbered("block{}", 4, 12), ("block13", "block14")),
    published=Published("xception", "xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"),
    smallest=71,
    usual=299,
)
