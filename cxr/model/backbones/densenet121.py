"""DenseNet121: the usual backbone of chest X-ray papers since CheXNet (Rajpurkar et al. 2017)."""

from cxr.model.backbone import IMAGENET, Backbone, Published, block_by, numbered

BACKBONE = Backbone(
    title="DenseNet121 (Huang et al. 2017)",
    application="keras.applications.DenseNet121",
    block_of=block_by(r"(conv1|conv\d+_block\d+|pool\d+|bn)(?:_|$)"),
    stem="conv1",
    # A transition (pool2 to pool4) ends a stage.
    stages=(
        (*numbered("conv2_block{}", 1, 6), "pool2"),
        (*numbered("conv3_block{}", 1, 12), "pool3"),
        (*numbered("conv4_block{}", 1, 24), "pool4"),
        numbered("conv5_block{}", 1, 16),
    ),
    top=("bn",),
    pixels=IMAGENET,
    published=Published("densenet", "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "30ee3e1110167f948a6b9946edeeb738"),
)
