"""EfficientNetV2-B0: more accurate on ImageNet than MobileNets, at about twice the cost."""

from string import ascii_lowercase

from cxr.model.backbone import IMAGENET, Backbone, Published, block_by


def blocks(stage: int, count: int) -> tuple[str, ...]:
    """The blocks of a stage of the paper, which are lettered."""
    return tuple(f"block{stage}{letter}" for letter in ascii_lowercase[:count])


BACKBONE = Backbone(
    title="EfficientNetV2-B0 (Tan and Le 2021)",
    application="keras.applications.EfficientNetV2B0",
    block_of=block_by(r"(stem|block\d[a-z]|top)_"),
    stem="stem",
    stages=(blocks(1, 1), blocks(2, 2), blocks(3, 2), blocks(4, 3) + blocks(5, 5), blocks(6, 8)),
    top=("top",),
    pixels=IMAGENET,
    published=Published("efficientnet_v2", "efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    arguments={"include_preprocessing": False},
)
