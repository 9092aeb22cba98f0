"""The small MobileNetV2 whose weights ship with cxr, for synthetic images."""

from dataclasses import replace

from cxr.model.backbones import mobilenet_v2

BACKBONE = replace(
    mobilenet_v2.BACKBONE, title="MobileNetV2 (Sandler et al. 2018), small, trained on phantoms", usual=96, layers="mobilenet_v2"
)
