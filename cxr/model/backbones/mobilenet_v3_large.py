"""MobileNetV3-Large: about as costly as MobileNetV2, and more accurate on ImageNet."""

from cxr.model.backbone import Backbone, Published, in_range, numbered
from cxr.model.backbones.mobilenet_v3_small import block_of

BACKBONE = Backbone(
    title="MobileNetV3-Large (Howard et al. 2019)",
    application="keras.applications.MobileNetV3Large",
    block_of=block_of,
    stem="conv",
    stages=(("expanded_conv",), *(numbered("expanded_conv_{}", *ends) for ends in ((1, 2), (3, 5), (6, 11), (12, 14)))),
    top=("conv_1",),
    pixels=in_range(-1, 1),
    published=Published(
        "mobilenet_v3", "weights_mobilenet_v3_large_224_{alpha}_float_no_top_v2.h5", "07fb09a5933dd0c8eaafa16978110389"
    ),
    arguments={"include_preprocessing": False},
)
