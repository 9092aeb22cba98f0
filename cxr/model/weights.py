"""The backbone's weights: where they are, and whether they fit, checked before TensorFlow is imported."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import h5py
import numpy as np

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.architecture import Shape, in_shapes
from cxr.model.backbones.registry import Described, backbone_names, backbone_of, describe
from cxr.model.keras_archive import read_archive
from cxr.model.published import cached_file, download, is_whole

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
        if self.path is None or self.to_download:
            return None
        stat = self.path.stat()
        return _sha256_of(self.path, stat.st_mtime_ns, stat.st_size)

    @property
    def archive(self) -> Path | None:
        """The file, if it is a `.keras` file, whose layers are found by their names."""
        return self.path if self.path is not None and self.path.suffix == ".keras" else None

    @property
    def for_keras(self) -> str | None:
        """The path that a function of `keras.applications` is given."""
        return str(self.path) if self.path is not None and self.archive is None else None


@cache
def _sha256_of(path: Path, written: int, size: int) -> str:
    """Of a file as it is now: all jobs of a sweep ask for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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

    `of_run` is the model of the run that `run:ID` names. Raises `UserError` for a file that is missing, unreadable or of another
    architecture, and for ImageNet weights that are neither in Keras' cache nor within reach.
    """
    described = describe(backbone)
    if backbone.name == "keras_file":
        return _of_keras_file(backbone, described, of_run)
    if backbone.weights == "none":
        return Weights()
    if backbone.weights == "imagenet":
        return _imagenet(backbone, described)
    path = of_run or (PHANTOM_WEIGHTS if backbone.weights == "phantom" else Path(backbone.weights).expanduser())
    if not path.is_file():
        raise UserError(
            f"backbone.weights={backbone.weights}: no such file; give imagenet, phantom, none, run:NAME, or the path of a .h5 or "
            ".keras file"
        )
    _check_fit(path, backbone, described)
    return Weights(path=path.resolve())


def _of_keras_file(backbone: BackboneConfig, described: Described, of_run: Path | None) -> Weights:
    """Of `backbone=keras_file`: those in its own file, or of a run with the same network."""
    if backbone.weights == "none":
        return Weights()
    if backbone.weights == "own":
        return Weights(path=Path(str(backbone.file)).expanduser().resolve())
    path = of_run or Path(backbone.weights).expanduser()
    if path.suffix != ".keras" or not path.is_file():
        raise UserError(f"backbone.weights={backbone.weights}: with backbone=keras_file give own, none, run:NAME or a .keras file")
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
            found: Counter[Shape] = Counter()
            file.visititems(lambda name, item: _count_array(found, name, item))
            keras_3 = "layers" in file
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        kind = "a .keras file" if is_archive else "an HDF5 weights file"
        raise UserError(f"backbone.weights={path} can't be read as {kind} ({error}): give another") from None
    if not is_archive and keras_3 != path.name.endswith(".weights.h5"):  # Keras goes by the name and fails late
        right = (
            "end in .weights.h5, as it is in Keras 3's format"
            if keras_3
            else "end in .h5 without .weights, as it is in the older format"
        )
        raise UserError(f"backbone.weights={path}: rename the file to {right}")
    needed = described.architecture.shapes
    if found == needed or (is_archive and found >= needed):  # a .keras file has a head too
        return
    raise UserError(
        f"backbone.weights={path} does not fit {_describe(backbone, described)} without top: {_differences(found, needed)}; "
        f"{_what_it_fits(found, is_archive)}"
    )


def _weights_in(path: Path) -> bytes:
    with ZipFile(path) as file:
        return file.read("model.weights.h5")


def _count_array(found: Counter[Shape], name: str, item: object) -> None:
    if not isinstance(item, h5py.Dataset) or "optimizer" in name.split("/"):
        return
    if item.is_virtual or item.external:
        raise ValueError(f"{name!a} is in another file")
    if item.nbytes <= _MOST_BYTES and item.dtype.kind == "f" and not np.isfinite(item[()]).all():
        raise ValueError(f"{name!a} holds values that are no numbers")
    if item.dtype.kind == "f":  # no state of random numbers
        found[item.shape] += 1


def _describe(backbone: BackboneConfig, described: Described) -> str:
    width = f" with backbone.alpha={backbone.alpha:g}" if described.backbone.widened else ""
    return described.backbone.title.partition(" (")[0] + width


def _differences(found: Counter[Shape], needed: Counter[Shape]) -> str:
    """Which arrays are missing, and which are too many."""
    told = []
    for what, shapes in (("it lacks", needed - found), ("it has besides", found - needed)):
        if shapes:
            listed = [f"{count} of {in_shapes([shape]) or 'one number'}" for shape, count in sorted(shapes.items())]
            more = f" and {len(listed) - 4} more shapes" if len(listed) > 4 else ""
            told.append(f"{what} {', '.join(listed[:4])}{more}")
    return ", ".join(told)


def _what_it_fits(found: Counter[Shape], is_archive: bool) -> str:
    """The backbone and width that an array of weights is made for."""
    for name in backbone_names():
        with suppress(UserError):  # of an installed backbone that can't be built: another may fit
            if said := _how_it_fits(found, is_archive, name):
                return said
    return "it is made for no backbone of cxr"


def _how_it_fits(found: Counter[Shape], is_archive: bool, name: str) -> str | None:
    known = backbone_of(name)
    for alpha in known.widths if known and not known.layers else ():
        shapes = describe(BackboneConfig(name=name, alpha=alpha)).architecture.shapes
        if found == shapes or (is_archive and found >= shapes):
            width = f" backbone.alpha={alpha:g}" if known and len(known.widths) > 1 else ""
            return f"it is made for backbone={name}{width}"
        if found - shapes and not shapes - found:
            return f"it is made for backbone={name}, with a classification top: save it without (include_top=False)"
        if found == _of_one_channel(shapes):
            return f"it is made for backbone={name} on grey images of one channel: a backbone here takes three equal channels"
    return None


def _of_one_channel(shapes: Counter[Shape]) -> Counter[Shape]:
    """The same with a first convolution on images of one channel."""
    found: Counter[Shape] = Counter()
    for shape, count in shapes.items():
        first = len(shape) == 4 and shape[2] == 3
        found[(*shape[:2], 1, shape[3]) if first else shape] += count
    return found
