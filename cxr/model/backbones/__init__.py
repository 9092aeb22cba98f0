"""Backbones, a file each; `backbone.name` names the file. The tables of their layers are in layers/."""
