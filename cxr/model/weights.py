"""The backbone's weights: where they are, and whether they fit, checked before TensorFlow is imported."""

import hashlib
import os
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from cxr.config.schema import BackboneConfig
from cxr.errors import UserError

PHANTOM_WEIGHTS = Path(__file__).with_name("phantom_backbone.weights.h5")
_KERAS_HOST = "storage.googleapis.com"
_KERAS_ADDRESS = (_KERAS_HOST, 443)
_PRETRAINED_SIZES = (96, 128, 160, 192, 224)
# Sandler et al. 2018, table 2: expansion, channels, repeats of each stage of inverted residual blocks.
_STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))

_MOST_BYTES = 64 * 2**20  # of one array; larger ones have no shape of this network

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """What the backbone starts from: a file that fits (`path`), a download by Keras (`imagenet`), or neither."""

    path: Path | None = None
    imagenet: bool = False

    @property
    def sha256(self) -> str | None:
        """The file's content hash, in hex; None without a file."""
        if self.path is None:
            return None
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def locate_weights(backbone: BackboneConfig) -> Weights:
    """Find the weights that the config names and check that they fit its alpha.

    Raises `UserError` for a file that is missing, unreadable or of another architecture, and for ImageNet weights that are
    neither in Keras' cache nor within reach.
    """
    if backbone.weights == "none":
        return Weights()
    if backbone.weights == "imagenet":
        return _imagenet(backbone)
    path = PHANTOM_WEIGHTS if backbone.weights == "phantom" else Path(backbone.weights).expanduser()
    if not path.is_file():
        raise UserError(f"backbone.weights={backbone.weights}: no such file; give imagenet, phantom, none, or a .h5 file's path")
    _check_fit(path, backbone)
    return Weights(path=path.resolve())


def expected_shapes(alpha: float) -> Counter[Shape]:
    """How many weight arrays of each shape MobileNetV2 of this width has without its top (Sandler et al. 2018, section 4)."""
    return Counter(_weight_shapes(alpha))


def _imagenet(backbone: BackboneConfig) -> Weights:
    size = backbone.image_size if backbone.image_size in _PRETRAINED_SIZES else 224
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(backbone.alpha)}_{size}_no_top.h5"
    cached = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / name
    if cached.is_file():
        _check_fit(cached, backbone)
        return Weights(path=cached)
    try:
        socket.create_connection(_KERAS_ADDRESS, timeout=3).close()
    except OSError:
        raise UserError(
            "backbone.weights=imagenet needs a network once, and there is none: on a machine with a network download "
            f"https://{_KERAS_HOST}/tensorflow/keras-applications/mobilenet_v2/{name}, then give backbone.weights=FILE"
        ) from None
    return Weights(imagenet=True)


def _check_fit(path: Path, backbone: BackboneConfig) -> None:
    try:
        with h5py.File(path) as file:
            found: Counter[Shape] = Counter()
            file.visititems(lambda name, item: _count_array(found, name, item))
            keras_3 = "layers" in file
    except (OSError, ValueError) as error:
        raise UserError(f"backbone.weights={path} can't be read as an HDF5 weights file ({error}): give another") from None
    if keras_3 != path.name.endswith(".weights.h5"):  # Keras goes by the name and fails late
        right = (
            "end in .weights.h5, as it is in Keras 3's format"
            if keras_3
            else "end in .h5 without .weights, as it is in the older format"
        )
        raise UserError(f"backbone.weights={path}: rename the file to {right}")
    if found != expected_shapes(backbone.alpha):
        raise UserError(
            f"backbone.weights={path} does not fit MobileNetV2 with backbone.alpha={backbone.alpha:g} and no top "
            f"(it holds {found.total()} arrays, {expected_shapes(backbone.alpha).total()} are needed): "
            f"{_fitting_alpha(found)}"
        )


def _count_array(found: Counter[Shape], name: str, item: object) -> None:
    if not isinstance(item, h5py.Dataset) or "optimizer" in name.split("/"):
        return
    if item.is_virtual or item.external:
        raise ValueError(f"{name!a} is in another file")
    if item.nbytes <= _MOST_BYTES and item.dtype.kind == "f" and not np.isfinite(item[()]).all():
        raise ValueError(f"{name!a} holds values that are no numbers")
    found[item.shape] += 1


def _fitting_alpha(found: Counter[Shape]) -> str:
    for alpha in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
        if found == expected_shapes(alpha):
            return f"it is made for backbone.alpha={alpha:g}"
    return "give weights saved from keras.applications.MobileNetV2(include_top=False)"


def _weight_shapes(alpha: float) -> Iterator[Shape]:
    channels = _rounded(32 * alpha)
    yield (3, 3, 3, channels)
    yield from _batch_norm(channels)
    first = True
    for expansion, width, repeats in _STAGES:
        for _ in range(repeats):
            inner = channels * expansion
            if not first:  # the very first block does not expand
                yield (1, 1, channels, inner)
                yield from _batch_norm(inner)
            first = False
            yield (3, 3, inner, 1)
            yield from _batch_norm(inner)
            out = _rounded(int(width * alpha))
            yield (1, 1, inner, out)
            yield from _batch_norm(out)
            channels = out
    top = _rounded(1280 * alpha) if alpha > 1 else 1280
    yield (1, 1, channels, top)
    yield from _batch_norm(top)


def _batch_norm(channels: int) -> Iterator[Shape]:
    yield from [(channels,)] * 4


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is no more than a tenth below, as in the authors' and Keras' code."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
