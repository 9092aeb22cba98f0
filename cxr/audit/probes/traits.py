"""Traits of an image that should predict no class: corners, marks, border, exposure and sharpness outside the lungs, file."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cxr.audit.linear_probe import Floats, macro_auc, out_of_fold_probabilities
from cxr.audit.regions import Images, Masks, corners, frame, marks_in, thumbnails
from cxr.audit.subject import Subject
from cxr.cache.memoized import memoized_by_content
from cxr.evaluation.estimates import Estimate, proportion
from cxr.system import cores

Features = NDArray[np.float64]  # (n, d)

_CORNER, _FRAME = 0.2, 1 / 16  # shares of the side


@dataclass(frozen=True)
class Trait:
    """One trait. `remedy` is the override to try where it predicts the class; "": it may hold the disease and names no shortcut."""

    label: str
    features: Callable[[Images, Masks, pd.DataFrame], Features]
    remedy: str = ""


@dataclass(frozen=True)
class TraitResult:
    """How well a trait alone predicts the class: macro AUC, and accuracy beside that of guessing the most frequent class."""

    trait: str
    auc: Estimate
    accuracy: Estimate
    majority: float


def trait_results(subject: Subject, traits: Mapping[str, Trait] | None = None) -> list[TraitResult]:
    """The result of each of some traits, by default of the `TRAITS`."""
    traits, target = TRAITS if traits is None else traits, subject.target
    majority = float(np.bincount(subject.labels).max() / len(subject.labels))
    if target.why_not:
        lacking = Estimate(None, why_not=target.why_not)
        return [TraitResult(name, lacking, lacking, majority) for name in traits]
    results = []
    for name, probabilities in trait_probabilities(subject, traits).items():
        right = int((probabilities.argmax(axis=1) == target.labels).sum())
        accuracy = proportion(right, len(target.labels), "")
        results.append(TraitResult(name, macro_auc(probabilities, target), accuracy, majority))
    return results


def trait_probabilities(subject: Subject, traits: Mapping[str, Trait]) -> dict[str, Floats]:
    """Out-of-fold probabilities of each class from each trait alone, (n, classes)."""
    features = _features(subject.images, subject.masks, subject.manifest, traits)
    return {name: out_of_fold_probabilities(columns, subject.target) for name, columns in features.items()}


def named_aucs(results: Collection[TraitResult]) -> dict[str, Estimate]:
    """The AUC of each trait that names a shortcut."""
    return {result.trait: result.auc for result in results if result.trait in NAMED}


@memoized_by_content(lambda images, masks, files, traits: (images, masks, files.to_csv(), list(traits)), most=4)
def _features(images: Images, masks: Masks, files: pd.DataFrame, traits: Mapping[str, Trait]) -> dict[str, Features]:
    """The features of each trait of images (n, size, size, 1).

    `files` has width, height and mode of each row, and `blocks_across` and `blocks_down` (`cxr.data.images.compression`).
    """
    with ThreadPoolExecutor(cores()) as pool:  # SciPy and Pillow work without Python's lock
        return dict(zip(traits, pool.map(lambda trait: trait.features(images, masks, files), traits.values()), strict=True))


def _outside(masks: Masks) -> Masks:
    """The pixels outside the lungs, corners and frame; all but corners and frame where a mask leaves nothing."""
    size = masks.shape[1]
    inner = ~frame(size, 1.5 * _FRAME) & ~corners(size, max(1, round(size * _CORNER)))
    outside = ~masks & inner
    outside[~outside.any(axis=(1, 2))] = inner
    return outside


def _corners(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """Each corner at 6 x 6 pixels."""
    edge = max(2, round(images.shape[1] * _CORNER))
    skipped = max(1, round(images.shape[1] * _FRAME / 2))  # of the frame, which is a trait of its own
    near, far = slice(skipped, edge), slice(-edge, -skipped)
    pieces = [images[:, rows, columns] for rows in (near, far) for columns in (near, far)]
    return np.concatenate([thumbnails(np.ascontiguousarray(piece), 6) for piece in pieces], axis=1).astype(np.float64)


def _marks(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """The share of small bright marks in each of nine parts of the image, beside the lungs."""
    marks = marks_in(images) & ~masks
    rows = [part for band in np.array_split(marks, 3, axis=1) for part in np.array_split(band, 3, axis=2)]
    return np.stack([part.mean(axis=(1, 2)) for part in rows], axis=1)


def _border(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """Mean and spread of the strip along each edge, at two widths."""
    grey, columns = images[..., 0].astype(np.float64), []
    for width in (max(1, round(images.shape[1] * _FRAME / 2)), max(2, round(images.shape[1] * _FRAME))):
        strips = (grey[:, :width], grey[:, -width:], grey[:, :, :width], grey[:, :, -width:])
        columns += [value(strip, axis=(1, 2)) for strip in strips for value in (np.mean, np.std)]
    return np.stack(columns, axis=1)


def _exposure(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """Deciles of grey levels."""
    levels = np.linspace(0.1, 0.9, 9)
    return np.stack([np.quantile(image[where], levels) for image, where in zip(images[..., 0], _outside(masks), strict=True)])


def _resolution(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """How much of what is fine is lost at each of three blurs, as logarithms of ratios: free of brightness and contrast."""
    ratios = []
    for image, where in zip(images[..., 0].astype(np.float32), _outside(masks), strict=True):
        levels = [image, *(gaussian_filter(image, sigma) for sigma in (0.7, 1.4, 2.8))]
        energy = [np.abs(fine - coarse)[where].mean() + 1e-3 for fine, coarse in pairwise(levels)]
        ratios.append([np.log(energy[0] / energy[1]), np.log(energy[1] / energy[2])])
    return np.asarray(ratios)


def _mask(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    """Area, and the shares of rows and columns that the lungs fill."""
    by_row, by_column = masks.mean(axis=2), masks.mean(axis=1)
    pieces = [*np.array_split(by_row, 8, axis=1), *np.array_split(by_column, 8, axis=1)]
    return np.stack([masks.mean(axis=(1, 2)), *(piece.mean(axis=1) for piece in pieces)], axis=1)


def _file(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    modes = pd.get_dummies(files["mode"]).to_numpy(np.float64)
    width, height = (files[name].to_numpy(np.float64) for name in ("width", "height"))
    return np.column_stack([np.log(width), np.log(height), np.log(width / height), modes])


TRAITS = {
    "corners": Trait("the four corners, with markers and text", _corners, "prepare=erased"),
    "marks": Trait("small bright marks beside the lungs, like text", _marks, "prepare=erased"),
    "border": Trait("the outer frame", _border, "prepare=thorax_crop"),
    "exposure": Trait("brightness and contrast outside the lungs", _exposure, "prepare=equalised"),
    "resolution": Trait("sharpness outside the lungs", _resolution, "augment.resolution=0.7"),
    "thumbnail_8": Trait("the image at 8 x 8 pixels", lambda images, masks, files: thumbnails(images, 8).astype(np.float64)),
    "thumbnail_16": Trait("the image at 16 x 16 pixels", lambda images, masks, files: thumbnails(images, 16).astype(np.float64)),
    "mask": Trait("where the lungs are and how large", _mask),
    "file": Trait("width, height and colour mode of the file", _file, "prepare=thorax_crop"),
    "jpeg": Trait(
        "traces of JPEG compression in the file",
        lambda images, masks, files: files[["blocks_across", "blocks_down"]].to_numpy(np.float64),
        "augment.resolution=0.7",
    ),
}
NAMED = tuple(name for name, trait in TRAITS.items() if trait.remedy)  # those that name a shortcut
