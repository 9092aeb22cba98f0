"""Where the lungs are in each image: from mask files, from the geometry of phantoms, or from an atlas that is fitted to the image.

Mask files are those of a column `mask` of the manifest, or `CLASS/masks/NAME` beside `CLASS/images/NAME`, as the radiography
database ships them (Rahman et al. 2021).
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from cxr.config.schema import DataConfig
from cxr.data.images.decode import decode_image
from cxr.data.images.files import read_file
from cxr.data.images.limits import UnreadableImage
from cxr.data.lung_atlas import fit_atlas
from cxr.data.sources.phantom import lungs_of
from cxr.errors import UserError
from cxr.text import pluralize

_LEAST, _MOST = 0.02, 0.8  # share of an image that a mask may cover


@dataclass(frozen=True)
class LungMasks:
    """Masks (n, size, size), True in the lungs; how many come from where, and why some files could not be used."""

    masks: NDArray[np.bool_]
    origins: dict[str, int]  # files, phantom, atlas
    unused: dict[str, int]  # reason: how many

    @property
    def text(self) -> str:
        """Where they come from, in a line."""
        named = {"files": "mask files", "phantom": "the phantoms' geometry", "atlas": "an atlas fitted to each image"}
        said = " and ".join(f"{pluralize(count, 'image')} from {named[name]}" for name, count in self.origins.items() if count)
        why = "".join(f"; {pluralize(count, 'mask file')} not used: {reason}" for reason, count in sorted(self.unused.items()))
        return f"Lung masks: {said}{why}"


def lung_masks(data: DataConfig, root: Path, manifest: pd.DataFrame, images: NDArray[np.uint8]) -> LungMasks:
    """The masks of images (n, size, size, 1), whose rows `manifest` has in the same order."""
    size = images.shape[1]
    found = np.zeros(images.shape[:3], bool)
    origins, unused = dict.fromkeys(("files", "phantom", "atlas"), 0), dict[str, int]()
    left = []
    for place, (path, own) in enumerate(zip(manifest["path"], _named(manifest), strict=True)):
        mask, reason = _of_file(root, own, size) if own else (None, "")
        origin = "files"
        if mask is None and data.phantom is not None:
            mask, origin = _of_phantom(data, path, size), "phantom"
        if reason:
            unused[reason] = unused.get(reason, 0) + 1
        if mask is None:
            left.append(place)
        else:
            found[place], origins[origin] = mask, origins[origin] + 1
    if left:
        found[left], origins["atlas"] = fit_atlas(images[left]), len(left)
    return LungMasks(found, origins, unused)


def overlap_of(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Dice's coefficient of masks (n, size, size), image by image: 1 if they are the same, 0 without a common pixel."""
    both = (one & other).sum(axis=(1, 2))
    return np.asarray(2 * both / np.maximum(one.sum(axis=(1, 2)) + other.sum(axis=(1, 2)), 1))


def masks_hash(root: Path, manifest: pd.DataFrame) -> str:
    """16 hex digits of the content of all mask files of a manifest; those that are not there count as such."""
    digest = hashlib.sha256()
    for path, name in sorted(zip(manifest["path"], _named(manifest), strict=True)):
        try:
            content = (root / name).read_bytes() if name and _is_inside(name) else b""
        except (FileNotFoundError, IsADirectoryError):
            content = b""
        except OSError as error:
            raise UserError(f"can't read the lung mask {root / name} ({error.strerror}): correct its permissions") from None
        digest.update(f"{path}\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _is_inside(name: str) -> bool:
    return not (PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts)


def _named(manifest: pd.DataFrame) -> list[str]:
    """The mask file that an image has by its column or its place; "" for none."""
    if "mask" in manifest:
        return [str(name) for name in manifest["mask"]]
    places = [PurePosixPath(path) for path in manifest["path"]]
    return [str(each.parents[1] / "masks" / each.name) if each.parent.name == "images" else "" for each in places]


def _of_file(root: Path, name: str, size: int) -> tuple[NDArray[np.bool_] | None, str]:
    """The mask, or why there is none; a file that is not there has no reason."""
    if not _is_inside(name):
        return None, "outside of data.root"
    try:
        grey = decode_image(read_file(str(root / name))).image
    except FileNotFoundError:
        return None, ""
    except (OSError, UnreadableImage) as refused:
        return None, getattr(refused, "strerror", None) or str(refused)
    mask = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR)) > 127
    share = mask.mean()
    if not _LEAST <= share <= _MOST:
        return None, "empty" if share < _LEAST else "nearly the whole image"
    return mask, ""


def _of_phantom(data: DataConfig, path: str, size: int) -> NDArray[np.bool_] | None:
    """From the geometry of the phantom, wherever a finding may show: with a rim for its blur."""
    assert data.phantom is not None
    place = PurePosixPath(path)
    number = place.stem.rpartition("-")[2]
    if not number.isdigit():
        return None
    drawn = lungs_of(place.parts[0], int(number) - 1, data.phantom) > 0.05
    at_size = np.asarray(Image.fromarray(drawn).resize((size, size)))
    return np.asarray(binary_dilation(at_size, iterations=max(1, size // 48)))
