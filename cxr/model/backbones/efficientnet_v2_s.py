"""EfficientNetV2-S: accurate and costly; choose it with a GPU."""

from dataclasses import replace

from cxr.model.backbone import Published, in_range
from cxr.model.backbones import efficientnet_v2_b0
from cxr.model.backbones.efficientnet_v2_b0 import blocks

BACKBONE = replace(
    efficientnet_v2_b0.BACKBONE,
    title="EfficientNetV2-S (Tan and Le 2021)",
    application="keras.applications.EfficientNetV2S",
    stages=(blocks(1, 2), blocks(2, 4), blocks(3, 4), blocks(4, 6) + blocks(5, 9), blocks(6, 15)),
    pixels=in_range(-1, 127 / 128),  # level / 128 - 1, as Keras' own layer has it
    published=Published("efficientnet_v2", "efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    usual=384,
)
