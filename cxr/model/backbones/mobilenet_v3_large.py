"""MobileNetV3-Large: about as costly as MobileNetV2, and more accurate on ImageNet."""

from dataclasses import replace

from cxr.model.backbone import Published, numbered
from cxr.model.backbones import mobilenet_v3_small

BACKBONE = replace(
    mobilenet_v3_small.BACKBONE,
    title="MobileNetV3-Large (Howard et al. 2019)",
    application="keras.applications.MobileNetV3Large",
    stages=(("expanded_conv",), *(numbered("expanded_conv_{}", *ends) for ends in ((1, 2), (3, 5), (6, 11), (12, 14)))),
    published=Published(
        "mobilenet_v3", "weights_mobilenet_v3_large_224_{alpha}_float_no_top_v2.h5", "07fb09a5933dd0c8eaafa16978110389"
    ),
)
