"""What `cxr` has to know of a backbone: how to build it, which pixels and weights fit, and its stages from input to top."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cxr.model.architecture import Architecture


@dataclass(frozen=True)
class InputScaling:
    """Grey levels 0..255 as a backbone's weights expect them: level * scale + offset, for each of three channels."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]


def in_range(low: float, high: float) -> InputScaling:
    """Pixels from `low` (black) to `high` (white).

    >>> in_range(-1, 1).offset
    (-1.0, -1.0, -1.0)
    """
    scale, offset = (high - low) / 255, float(low)
    return InputScaling((scale,) * 3, (offset,) * 3)


def standardised(mean: Sequence[float], std: Sequence[float]) -> InputScaling:
    """Pixels from 0 to 1, less the mean of each of three channels and divided by its standard deviation."""
    red, green, blue = ((1 / (255 * width), -centre / width) for centre, width in zip(mean, std, strict=True))
    return InputScaling((red[0], green[0], blue[0]), (red[1], green[1], blue[1]))


def block_by(pattern: str) -> Callable[[str], str | None]:
    r"""A function from the name of a layer to its block: the first group of a pattern at the name's beginning; None without one.

    >>> block_of = block_by(r"(conv1|conv\d+_block\d+)_")
    >>> block_of("conv4_block6_1_conv"), block_of("logits")
    ('conv4_block6', None)
    """
    compiled = re.compile(pattern)
    return lambda layer: match[1] if (match := compiled.match(layer)) else None


def numbered(pattern: str, first: int, last: int) -> tuple[str, ...]:
    """The names of blocks `first` to `last`, which count them in place of {}.

    >>> numbered("conv2_block{}", 1, 3)
    ('conv2_block1', 'conv2_block2', 'conv2_block3')
    """
    return tuple(pattern.format(number) for number in range(first, last + 1))


IMAGENET = standardised((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Published:
    """The file of ImageNet weights without top that Keras publishes, one for all image sizes; its name may hold {alpha}."""

    folder: str
    file: str
    digest: str = ""  # MD5 or SHA-256 in hex, as in the source of Keras, which has none for some


@dataclass(frozen=True)
class Backbone:
    """A backbone, as a file of `cxr/model/backbones` describes it.

    `application` is a function by module and name, called with `input_tensor`, `weights` (the path of a file or None),
    `include_top=False` and `arguments`. `block_of` names the block of a layer with weights, or None. `stages` are blocks from the
    input upward, without the stem below and the `top` layers above them, which train with the last block.
    """

    title: str
    application: str
    block_of: Callable[[str], str | None]
    stem: str
    stages: tuple[tuple[str, ...], ...]
    top: tuple[str, ...] = ()
    pixels: InputScaling = field(default_factory=lambda: in_range(-1, 1))
    published: Published | None = None
    smallest: int = 32  # image size
    usual: int = 224  # image size, for which multiply-adds are counted
    arguments: Mapping[str, Any] = field(default_factory=dict)
    layers: str = ""  # the table of layers of another backbone, where they are the same
    widths: tuple[float, ...] = (1.0,)  # of backbone.alpha for which weights are published
    widened: Callable[[Architecture, float], Architecture] | None = None  # the layers at another backbone.alpha, if it has any

    @property
    def short_title(self) -> str:
        """The title without the paper."""
        return self.title.partition(" (")[0]

    @property
    def blocks(self) -> tuple[str, ...]:
        """All blocks, from the stem to the top."""
        return (self.stem, *(block for stage in self.stages for block in stage), *self.top)
