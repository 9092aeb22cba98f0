"""ResNet50V2: the residual network that many results are compared with."""

from cxr.model.backbone import Backbone, Published, block_by, numbered

BACKBONE = Backbone(
    title="ResNet50V2 (He et al. 2016)",
    application="keras.applications.ResNet50V2",
    block_of=block_by(r"(conv1|conv\d+_block\d+|post)_"),
    stem="conv1",
    stages=tuple(numbered(f"conv{stage}_block{{}}", 1, count) for stage, count in ((2, 3), (3, 4), (4, 6), (5, 3))),
    top=("post",),
    published=Published("resnet", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "fac2f116257151a9d068a22e544a4917"),
)
