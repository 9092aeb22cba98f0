"""How well each trait of an image, beside its lungs, predicts its class, and which images show it most clearly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cxr.audit.linear_probe import Floats
from cxr.audit.probes.traits import NAMED, TRAITS, Features, Trait, trait_probabilities, trait_results
from cxr.audit.regions import Images, Masks
from cxr.audit.subject import Subject
from cxr.audit.verdict import Verdict, verdict_without_model
from cxr.evaluation.estimates import Estimate
from cxr.profile.categories import categories

_EXTREMES = 4  # images of a class that a trait predicts most surely
_BYTES = "the size of the file in bytes, of all and of each pixel"
_LEAST_OF_CLASS = 100  # images of a class in a sample, where there are so many


@dataclass(frozen=True)
class ProfiledTrait:
    """One trait: its AUC, and rows of the images of each class that it predicts most surely; none where it is constant.

    `easiest` is the class with the highest AUC against the rest. `names_shortcut` is False where a trait may hold the disease.
    """

    label: str
    auc: Estimate
    accuracy: Estimate
    names_shortcut: bool
    remedy: str
    easiest: str
    extremes: Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class ProfiledTraits:
    """All traits, those that name a shortcut first, then by AUC; `verdict` has its places by the labels of traits."""

    traits: Sequence[ProfiledTrait]
    verdict: Verdict
    majority: float  # share of the most frequent class
    why_not: str  # the reason where nothing could be measured


def profiled_traits(subject: Subject, columns: Sequence[str]) -> ProfiledTraits:
    """Measure the `TRAITS` of an audit, and of its manifest the format and size of files, sources, and `columns`."""
    more = _more_traits(subject, columns)
    traits = {**TRAITS, **more}
    named = {name for name in traits if name in NAMED or (name in more and name != _BYTES)}
    results = trait_results(subject, traits)
    probabilities = {} if subject.target.why_not else trait_probabilities(subject, traits)
    verdict = verdict_without_model({result.trait: result.auc for result in results if result.trait in named})
    profiled = [
        ProfiledTrait(
            label=traits[result.trait].label,
            auc=result.auc,
            accuracy=result.accuracy,
            names_shortcut=result.trait in named,
            remedy=traits[result.trait].remedy,
            easiest=_easiest(probabilities[result.trait], subject) if result.trait in probabilities else "",
            extremes=_extremes(probabilities[result.trait], subject) if result.trait in probabilities else {},
        )
        for result in results
    ]
    return ProfiledTraits(
        traits=sorted(profiled, key=lambda trait: (not trait.names_shortcut, -(trait.auc.value or 0))),
        verdict=Verdict(verdict.light, [traits[name].label for name in verdict.places]),
        majority=results[0].majority,
        why_not=subject.target.why_not,
    )


def sample(manifest: pd.DataFrame, most: int) -> NDArray[np.int64]:
    """About `most` rows (m,), classes in proportion but for small ones; which ones depends on pixels alone.

    Args:
        manifest: Columns label, sha256 and path.
        most: Of all classes.
    """
    share = most / max(most, len(manifest))
    chosen = [
        rows.sort_values(["sha256", "path"]).head(max(round(share * len(rows)), _LEAST_OF_CLASS)).index
        for _, rows in manifest.groupby("label")
    ]
    return np.sort(np.concatenate(chosen).astype(np.int64))


def _more_traits(subject: Subject, columns: Sequence[str]) -> dict[str, Trait]:
    """Traits of what is known of a file and of a patient, each where it is not the same for all images."""
    headings = {"file format": "the format of the file", "source": "the source", **{name: f"{name} (a column)" for name in columns}}
    by_category = {
        heading: Trait(heading, partial(_one_hot, name), "training.sampling=source_balanced" if name == "source" else "")
        for name, heading in headings.items()
        if subject.manifest[name].nunique() > 1
    }
    return {**by_category, _BYTES: Trait(_BYTES, _bytes)}


def _one_hot(name: str, images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    return pd.get_dummies(categories(files[name])).to_numpy(np.float64)


def _bytes(images: Images, masks: Masks, files: pd.DataFrame) -> Features:
    size, pixels = (
        np.maximum(values.to_numpy(np.float64), 1) for values in (files["file bytes"], files["width"] * files["height"])
    )
    return np.stack([np.log(size), np.log(size / pixels)], axis=1)


def _easiest(probabilities: Floats, subject: Subject) -> str:
    present = np.unique(subject.labels)
    areas = [roc_auc_score(subject.labels == label, probabilities[:, label]) for label in present]
    return subject.classes[present[int(np.argmax(areas))]] if max(areas) > 0.5 else ""


def _extremes(probabilities: Floats, subject: Subject) -> dict[str, NDArray[np.int64]]:
    """Rows of each class, those of the highest probability first; none where all probabilities are alike."""
    if not np.ptp(probabilities, axis=0).any():
        return {}
    order = np.argsort(-probabilities, axis=0, kind="stable")
    by_class = {name: order[subject.labels[order[:, label]] == label, label] for label, name in enumerate(subject.classes)}
    return {name: rows[:_EXTREMES] for name, rows in by_class.items() if len(rows)}
