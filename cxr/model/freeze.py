"""Freezing of the backbone: the layers that train in each phase."""

import re
from typing import Any

from cxr.config.schema import BACKBONE_BLOCKS

HEAD = "head"
_BLOCKS_UPWARD = (*BACKBONE_BLOCKS, HEAD)
_BLOCK_OF_LAYER = re.compile(r"(?:bn_)?(Conv1|expanded_conv|block_\d+|Conv_1)(?:_|$)")


def block_of(layer_name: str) -> str:
    """The block that a layer of the flat network belongs to; what is not of the backbone is the head.

    >>> block_of("block_16_project_BN"), block_of("bn_Conv1"), block_of("Conv_1"), block_of("logits")
    ('block_16', 'Conv1', 'Conv_1', 'head')
    """
    match = _BLOCK_OF_LAYER.match(layer_name)
    return match[1] if match else HEAD


def is_trainable(layer_name: str, trainable_from: str) -> bool:
    """Whether a layer lies at or above the first trainable block.

    >>> is_trainable("block_12_add", "block_13"), is_trainable("block_13_expand", "block_13")
    (False, True)
    """
    return _BLOCKS_UPWARD.index(block_of(layer_name)) >= _BLOCKS_UPWARD.index(trainable_from)


def apply_freeze(network: Any, trainable_from: str, batch_norm: str) -> None:
    """Set `trainable` on every layer of a flat Keras model; compile it afterwards.

    A frozen BatchNormalization layer runs on its stored statistics, in training too, and keeps its scale and shift. With
    `batch_norm="inference"` that holds for the trained blocks as well; with `"train"` they use each batch's own.
    """
    for layer in network.layers:
        is_batch_norm = type(layer).__name__ == "BatchNormalization"
        held = is_batch_norm and batch_norm == "inference"
        layer.trainable = is_trainable(layer.name, trainable_from) and not held
