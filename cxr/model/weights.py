"""The backbone's weights: where they are, and whether they fit, checked before TensorFlow is imported."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import h5py
import numpy as np

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.architecture import Shape, format_shapes
from cxr.model.backbones.registry import Described, backbone_names, backbone_of, describe
from cxr.model.keras_archive import content_sha256, read_archive
from cxr.model.keras_private import WEIGHTS, has_keras_3_layout
from cxr.model.published import cached_file, download, is_whole
from cxr.system import expanded

PHANTOM_WEIGHTS = Path(__file__).with_name("phantom_backbone.weights.h5")
RUN = "run:"  # what backbone.weights begins with where it names a run

_MOST_BYTES = 64 * 2**20  # of one array whose values are looked at
_may_download: ContextVar[bool] = ContextVar("may_download", default=True)


@dataclass(frozen=True)
class Weights:
    """What the backbone starts from: a file that fits, or random weights without one."""

    path: Path | None = None
    to_download: bool = False  # `path` is where a download would put the file: so in a plan, which downloads nothing

    @property
    def sha256(self) -> str | None:
        """The file's content hash, in hex; None without a file, and for one that is still to be downloaded."""
        return None if self.path is None or self.to_download else content_sha256(self.path)


@contextmanager
def without_downloads() -> Iterator[None]:
    """In the block `locate_weights` downloads nothing: ImageNet weights that are not here are `to_download`."""
    token = _may_download.set(False)
    try:
        yield
    finally:
        _may_download.reset(token)


def locate_weights(backbone: BackboneConfig, of_run: Path | None = None) -> Weights:
    """Find the weights that the config names and check that they fit its backbone; ImageNet weights are downloaded once.

    `of_run` is the model of the run that `run:ID` names.

    Raises:
        UserError: A file is missing, unreadable or of another architecture, or ImageNet weights can't be had.
    """
    described, of_file = describe(backbone), backbone.name == "keras_file"
    if backbone.weights == "none":
        return Weights()
    if backbone.weights == "own" and of_file:
        return Weights(path=expanded(str(backbone.file)).resolve())
    if backbone.weights == "imagenet" and not of_file:
        return _imagenet(backbone, described)
    is_shipped = backbone.weights == "phantom" and not of_file
    path = of_run or (PHANTOM_WEIGHTS if is_shipped else expanded(backbone.weights))
    if of_file and (path.suffix != ".keras" or not path.is_file()):
        raise UserError(f"backbone.weights={backbone.weights}: with backbone=keras_file give own, none, run:NAME or a .keras file")
    if not path.is_file():
        raise UserError(
            f"backbone.weights={backbone.weights}: no such file; give imagenet, phantom, none, run:NAME, or the path of a .h5 or "
            ".keras file"
        )
    _check_fit(path, backbone, described)
    return Weights(path=path.resolve())


def _imagenet(backbone: BackboneConfig, described: Described) -> Weights:
    source = described.backbone.published
    if source is None:
        raise UserError(f"no ImageNet weights are published for backbone={backbone.name}: use backbone.weights=none or a file")
    if backbone.alpha not in described.backbone.widths:
        raise UserError(
            f"no ImageNet weights are published for backbone.alpha={backbone.alpha:g}: use one of "
            f"{', '.join(f'{alpha:g}' for alpha in described.backbone.widths)}, or backbone.weights=none"
        )
    file, check = cached_file(source, backbone.alpha), partial(_check_fit, backbone=backbone, described=described)
    if is_whole(file, source, check):
        return Weights(path=file)
    if not _may_download.get():
        return Weights(path=file, to_download=True)
    return Weights(path=download(source, backbone.alpha, check))


def is_cached(name: str) -> bool:
    """Whether Keras' cache has the ImageNet weights of a backbone, at its usual width."""
    backbone = backbone_of(name)
    return backbone is not None and backbone.published is not None and cached_file(backbone.published, 1.0).is_file()


def _check_fit(path: Path, backbone: BackboneConfig, described: Described) -> None:
    is_archive = path.suffix == ".keras"
    try:
        if is_archive:
            read_archive(path)  # refuses one that would run code
        with h5py.File(BytesIO(_weights_in(path)) if is_archive else path) as file:
            shapes: Counter[Shape] = Counter()
            file.visititems(lambda name, item: _count_array(shapes, name, item))
            keras_3 = has_keras_3_layout(file)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        kind = "a .keras file" if is_archive else "an HDF5 weights file"
        raise UserError(f"backbone.weights={path} can't be read as {kind} ({error}): give another") from None
    if not is_archive and keras_3 != path.name.endswith(".weights.h5"):  # Keras goes by the name and fails late
        right = ".weights.h5, as it is in Keras 3's format" if keras_3 else ".h5 without .weights, as it is in the older format"
        raise UserError(f"backbone.weights={path}: rename the file to end in {right}")
    needed = described.architecture.shapes
    if shapes == needed or (is_archive and shapes >= needed):  # a .keras file has a head too
        return
    width = f" with backbone.alpha={backbone.alpha:g}" if described.backbone.widened else ""
    raise UserError(
        f"backbone.weights={path} does not fit {described.backbone.short_title}{width} without top: "
        f"{_differences(shapes, needed)}; {_origin_of(shapes, is_archive)}"
    )


def _weights_in(path: Path) -> bytes:
    with ZipFile(path) as file:
        return file.read(WEIGHTS)


def _count_array(shapes: Counter[Shape], name: str, item: object) -> None:
    if not isinstance(item, h5py.Dataset) or "optimizer" in name.split("/"):
        return
    if item.is_virtual or item.external:
        raise ValueError(f"{name!a} is in another file")
    if item.nbytes <= _MOST_BYTES and item.dtype.kind == "f" and not np.isfinite(item[()]).all():
        raise ValueError(f"{name!a} holds values that are no numbers")
    if item.dtype.kind == "f":  # no state of random numbers
        shapes[item.shape] += 1


def _differences(shapes: Counter[Shape], needed: Counter[Shape]) -> str:
    """Which arrays are missing, and which are too many."""
    parts = []
    for what, apart in (("it lacks", needed - shapes), ("it has besides", shapes - needed)):
        if apart:
            listed = [f"{count} of {format_shapes([shape]) or 'one number'}" for shape, count in sorted(apart.items())]
            more = f" and {len(listed) - 4} more shapes" if len(listed) > 4 else ""
            parts.append(f"{what} {', '.join(listed[:4])}{more}")
    return ", ".join(parts)


def _origin_of(shapes: Counter[Shape], is_archive: bool) -> str:
    """For which backbone and width arrays of weights are made."""
    for name in backbone_names():
        with suppress(UserError):  # of an installed backbone that can't be built: another may fit
            backbone = backbone_of(name)
            for alpha in backbone.widths if backbone and not backbone.layers else ():
                own = describe(BackboneConfig(name=name, alpha=alpha)).architecture.shapes
                if shapes == own or (is_archive and shapes >= own):
                    width = f" backbone.alpha={alpha:g}" if backbone and len(backbone.widths) > 1 else ""
                    return f"it is made for backbone={name}{width}"
                if shapes - own and not own - shapes:
                    return f"it is made for backbone={name}, with a classification top: save it without (include_top=False)"
                if shapes == _of_one_channel(own):
                    return (
                        f"it is made for backbone={name} on grey images of one channel: a backbone here takes three equal channels"
                    )
    return "it is made for no backbone of cxr"


def _of_one_channel(shapes: Counter[Shape]) -> Counter[Shape]:
    """The same with a first convolution on images of one channel."""
    grey: Counter[Shape] = Counter()
    for shape, count in shapes.items():
        first = len(shape) == 4 and shape[2] == 3
        grey[(*shape[:2], 1, shape[3]) if first else shape] += count
    return grey
