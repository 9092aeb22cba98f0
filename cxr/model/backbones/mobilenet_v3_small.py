"""MobileNetV3-Small: the cheapest backbone."""

from cxr.model.backbone import Backbone, Published, block_by, numbered

BACKBONE = Backbone(
    title="MobileNetV3-Small (Howard et al. 2019)",
    application="keras.applications.MobileNetV3Small",
    block_of=block_by(r"(expanded_conv(?:_\d+)?(?=_)|conv_1(?=_|$)|conv(?=_bn|$))"),
    stem="conv",
    stages=(("expanded_conv",), *(numbered("expanded_conv_{}", *ends) for ends in ((1, 2), (3, 7), (8, 10)))),
    top=("conv_1",),
    published=Published(
        "mobilenet_v3", "weights_mobilenet_v3_small_224_{alpha}_float_no_top_v2.h5", "d3e8ec802a04aa4fc771ee12a9a9b836"
    ),
    arguments={"include_preprocessing": False},
)
