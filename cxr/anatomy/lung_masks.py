"""Where the lungs are in each image: from mask files, from the geometry of phantoms, or from the network that finds lungs.

Where it finds no plausible pair, an atlas is fitted to the image.

Mask files are those of the folder `data.masks`, as `cxr data masks` writes it; or of a column `mask` of the manifest; or
`CLASS/masks/NAME` beside `CLASS/images/NAME`, as the radiography database ships them (Rahman et al. 2021), in capitals or not.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

from cxr.anatomy.lung_atlas import fit_atlas
from cxr.anatomy.lung_network import lungs_in, network_hash
from cxr.anatomy.phantom import lungs_of
from cxr.cache.memoized import memoized_by_content
from cxr.config.schema import DataConfig, PhantomConfig
from cxr.errors import UserError
from cxr.system import expanded
from cxr.text import pluralize

_LEAST, _MOST = 0.02, 0.8  # share of an image that a mask may cover
_ORIGINS = {
    "files": "mask files",
    "phantom": "the phantoms' geometry",
    "network": "the network that finds lungs",
    "atlas": "a fitted atlas, as the network finds no plausible lungs",
}
# Gives the grey levels (mode L) of a file; raises `OSError`, or `ValueError` for a file that is no image.
Reader = Callable[[Path], Image.Image]


@dataclass(frozen=True)
class LungMasks:
    """Masks (n, size, size), True in the lungs; the number of masks of each origin, and of unused files by reason."""

    masks: NDArray[np.bool_]
    origins: dict[str, int]  # files, phantom, network, atlas
    unused: dict[str, int]

    @property
    def text(self) -> str:
        """The origins in a line."""
        used = " and ".join(f"{pluralize(count, 'image')} from {_ORIGINS[name]}" for name, count in self.origins.items() if count)
        unused = "".join(f"; {pluralize(count, 'mask file')} not used: {reason}" for reason, count in sorted(self.unused.items()))
        return f"Lung masks: {used}{unused}"


def lung_masks(data: DataConfig, root: Path, manifest: pd.DataFrame, images: NDArray[np.uint8], read: Reader) -> LungMasks:
    """The masks of images.

    Args:
        manifest: rows of the images, in the same order.
        images: (n, size, size, 1).
        read: reads mask files.

    Raises:
        UserError: `data.masks` is no folder, or the package lacks the network.
    """
    masks, size, (folder, files) = np.zeros(images.shape[:3], bool), images.shape[1], _mask_files(data, root, manifest)
    origins, unused = dict.fromkeys(_ORIGINS, 0), Counter[str]()
    without = []
    for place, (path, file) in enumerate(zip(manifest["path"], files, strict=True)):
        mask, origin = None, "files"
        try:
            mask = _of_file(folder, file, size, read) if file else None
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            unused[getattr(error, "strerror", None) or str(error)] += 1
        if mask is None and data.phantom is not None:
            mask, origin = _of_phantom(data.phantom, PurePosixPath(path), size), "phantom"
        if mask is None:
            without.append(place)
        else:
            masks[place], origins[origin] = mask, origins[origin] + 1
    if without:
        masks[without], is_plausible = _of_network(images[without])
        origins |= {"network": int(is_plausible.sum()), "atlas": int((~is_plausible).sum())}
    return LungMasks(masks, origins, unused)


def masks_hash(data: DataConfig, root: Path, manifest: pd.DataFrame) -> str:
    """16 hex digits of the content of all mask files of a manifest, and of the network where one is not there.

    Args:
        manifest: columns path and, where there is one, of the mask's file.

    Raises:
        UserError: A mask file can't be read, `data.masks` is no folder, or the package lacks the network.
    """
    digest, (folder, files), all_masked = hashlib.sha256(), _mask_files(data, root, manifest), True
    for path, file in sorted(zip(manifest["path"], files, strict=True)):
        try:
            content = (folder / file).read_bytes() if file and _is_inside(file) else b""
        except (FileNotFoundError, IsADirectoryError):
            content = b""
        except OSError as error:
            raise UserError(f"can't read the lung mask {folder / file} ({error.strerror}): correct its permissions") from None
        all_masked = all_masked and bool(content)
        digest.update(f"{path}\0{file}\0{len(content)}\0".encode() + content)
    if not all_masked and data.phantom is None:
        digest.update(network_hash().encode())
    return digest.hexdigest()[:16]


def _is_inside(file: str) -> bool:
    return not (PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts)


def mask_name(path: str) -> str:
    """The file of an image's mask in `data.masks`.

    >>> mask_name("COVID/images/COVID-1.jpg")
    'COVID/images/COVID-1.jpg.png'
    """
    return f"{path}.png"


def _mask_files(data: DataConfig, root: Path, manifest: pd.DataFrame) -> tuple[Path, list[str]]:
    """The folder of masks, and the file of each image's below it; "" for none."""
    if data.masks is not None:
        if not (own := expanded(data.masks)).is_dir():
            raise UserError(f"data.masks={data.masks} is no folder: cxr data masks --to FOLDER makes one")
        return own, [mask_name(path) for path in manifest["path"]]
    if "mask" in manifest:
        return root, [str(name) for name in manifest["mask"]]
    folders = {}
    for folder in sorted({PurePosixPath(path).parent for path in manifest["path"]}):
        beside = _names(root / folder.parent) if folder.name.lower() == "images" else []
        folders[folder] = next((folder.parent / name for name in beside if name.lower() == "masks"), None)
    paths = [PurePosixPath(path) for path in manifest["path"]]
    return root, [str(masks / path.name) if (masks := folders[path.parent]) else "" for path in paths]


def _names(folder: Path) -> list[str]:
    """The names in a folder, sorted; none of one that is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _of_file(root: Path, file: str, size: int, read: Reader) -> NDArray[np.bool_]:
    """The mask of a file; raises `FileNotFoundError` for an absent one, and `OSError` or `ValueError` with why it is of no use."""
    if not _is_inside(file):
        raise ValueError("outside of data.root")
    mask = np.asarray(read(root / file).resize((size, size), Image.Resampling.BILINEAR)) > 127
    if not _LEAST <= (share := mask.mean()) <= _MOST:
        raise ValueError("empty" if share < _LEAST else "nearly the whole image")
    return mask


@memoized_by_content(lambda images: images, most=4)
def _of_network(images: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks, (n, size, size), and which are a plausible pair of lungs, (n,); the others are those of the atlas."""
    lungs, reasons = lungs_in(images)
    is_plausible = np.array([not reason for reason in reasons])
    masks, size = np.empty(images.shape[:3], bool), images.shape[1]
    for place, mask in enumerate(lungs):
        masks[place] = np.asarray(Image.fromarray(np.uint8(255) * mask).resize((size, size), Image.Resampling.BILINEAR)) > 127
    if not is_plausible.all():
        masks[~is_plausible] = fit_atlas(images[~is_plausible])
    return masks, is_plausible


def _of_phantom(config: PhantomConfig, path: PurePosixPath, size: int) -> NDArray[np.bool_] | None:
    """The mask of a phantom CLASS/.../NAME-NUMBER.png, wherever a finding may show: with a rim for its blur."""
    number = path.stem.rpartition("-")[2]
    if not number.isdigit():
        return None
    lungs = lungs_of(path.parts[0], int(number) - 1, config) > 0.05
    at_size = np.asarray(Image.fromarray(lungs).resize((size, size)))
    return np.asarray(binary_dilation(at_size, iterations=max(1, size // 48)))
