"""Writes cxr/model/backbones/layers/*.csv, the layers of each backbone as Keras builds it. Give names to write those alone."""

import sys

from cxr.model.backbones.registry import LAYERS, backbone_names, backbone_of
from cxr.model.construction import write_layers


def main(names: list[str]) -> None:
    """Write the tables."""
    for name in names or backbone_names():
        backbone = backbone_of(name)
        if backbone is None or backbone.layers:
            continue
        made = write_layers(name, str(LAYERS / f"{name}.csv"))
        print(f"{name}: {len(made.layers)} layers, {made.parameters:,} parameters, {made.multiply_adds / 1e9:.2f} G multiply-adds")


if __name__ == "__main__":
    main(sys.argv[1:])
