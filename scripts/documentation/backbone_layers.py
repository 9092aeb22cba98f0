"""Writes cxr/model/backbones/layers/*.csv, the layers of each backbone as Keras builds it. Give names to write those alone."""

import sys

from cxr.model.architecture import write_architecture
from cxr.model.backbones.registry import LAYERS, backbone_names, backbone_of
from cxr.model.construction import architecture_of_backbone


def main(names: list[str]) -> None:
    """Write the tables."""
    for name in names or backbone_names():
        backbone = backbone_of(name)
        if backbone is None or backbone.layers:
            continue
        made = architecture_of_backbone(backbone)
        write_architecture(LAYERS / f"{name}.csv", made)
        print(f"{name}: {len(made.layers)} layers, {made.parameters:,} parameters, {made.multiply_adds / 1e9:.2f} G multiply-adds")


if __name__ == "__main__":
    main(sys.argv[1:])
