"""Image sources: how well pooled features predict the source of an image, and what predicts a class within one source."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.audit.linear_probe import Floats, Target, probe_auc
from cxr.audit.subject import Subject
from cxr.data.source_shortcut import source_shortcut
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.roc import area_under_roc


@dataclass(frozen=True)
class SourceContrast:
    """Two classes of one source: how well the model's probability of one against the other separates them."""

    source: str
    classes: tuple[str, str]
    auc: Estimate


@dataclass(frozen=True)
class SourceProbe:
    """`told` is the macro AUC of the source from pooled features, `within` the same among images of one class.

    `class_from_source` is a sentence on how often the source alone gives the class away.
    """

    sources: list[str]
    told: Estimate
    within: dict[str, Estimate]
    class_from_source: str
    contrasts: list[SourceContrast]


def source_probe(subject: Subject, probabilities: Floats, pooled: NDArray[np.float32]) -> SourceProbe | str:
    """Probe the images whose source is known; a reason where none can be.

    Args:
        subject: n images.
        probabilities: (n, classes) of the trained model.
        pooled: features (n, channels).
    """
    known = (subject.manifest["source"] != "").to_numpy()
    named = subject.manifest["source"][known]
    sources = sorted(set(named))
    if len(sources) < 2:
        return "no image has a known source" if not sources else f"all images of known source have the same one, {sources[0]}"
    groups, labels = np.asarray(subject.manifest["group"])[known], subject.labels[known]
    shortcut = source_shortcut(subject.manifest["label"], subject.manifest["source"])
    assert shortcut is not None
    of_class = {name: labels == index for index, name in enumerate(subject.classes)}
    within = {name: _source_auc(pooled[known], named, groups, rows) for name, rows in of_class.items()}
    whole = _source_auc(pooled[known], named, groups, np.ones(len(named), bool))
    return SourceProbe(sources, whole, within, shortcut.text, _contrasts(probabilities[known], of_class, named))


def _source_auc(pooled: NDArray[np.float32], named: pd.Series, groups: NDArray[np.str_], rows: NDArray[np.bool_]) -> Estimate:
    if not rows.any():
        return Estimate(None, why_not="it has no image of known source")
    return probe_auc(pooled[rows], Target(pd.Categorical(named[rows]).codes.astype(np.int64), list(groups[rows]), "source"))


def _contrasts(probabilities: Floats, of_class: dict[str, NDArray[np.bool_]], named: pd.Series) -> list[SourceContrast]:
    contrasts = []
    for source in sorted(set(named)):
        of_source, names = (named == source).to_numpy(), list(of_class)
        present = [index for index, name in enumerate(names) if (of_class[name] & of_source).any()]
        for one, other in combinations(present, 2):
            rows = of_source & (of_class[names[one]] | of_class[names[other]])
            shares = probabilities[rows, one] / np.maximum(probabilities[rows][:, [one, other]].sum(axis=1), 1e-12)
            auc = area_under_roc(of_class[names[one]][rows], shares)
            contrasts.append(SourceContrast(source, (names[one], names[other]), auc))
    return contrasts
