"""ResNet50V2: the residual network that many results are compared with."""

from cxr.model.backbone import Backbone, Published, block_by, in_range

block_of = block_by(r"(conv1|conv\d+_block\d+|post)_")


def _stage(number: int, count: int) -> tuple[str, ...]:
    return tuple(f"conv{number}_block{block}" for block in range(1, count + 1))


BACKBONE = Backbone(
    title="ResNet50V2 (He et al. 2016)",
    application="keras.applications.ResNet50V2",
    block_of=block_of,
    stem="conv1",
    stages=(_stage(2, 3), _stage(3, 4), _stage(4, 6), _stage(5, 3)),
    top=("post",),
    pixels=in_range(-1, 1),
    published=Published("resnet", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"),
)
