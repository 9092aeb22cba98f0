"""Image sources: how well pooled features predict the source of an image, and what predicts a class within one source."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.audit.probe import Target, macro_auc, out_of_fold_probabilities
from cxr.data.source_shortcut import source_shortcut
from cxr.evaluation.estimates import Estimate, area_under_roc


@dataclass(frozen=True)
class SourceContrast:
    """Two classes of one source: how well the model's probability of one against the other separates them."""

    source: str
    classes: tuple[str, str]
    auc: Estimate


@dataclass(frozen=True)
class SourceProbe:
    """`told` is the macro AUC of the source from pooled features, `within` the same among images of one class.

    `class_from_source` is in words how often the source alone gives the class away.
    """

    sources: list[str]
    told: Estimate
    within: dict[str, Estimate]
    class_from_source: str
    contrasts: list[SourceContrast]


def source_probe(
    pooled: NDArray[np.float32],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    manifest: pd.DataFrame,
) -> SourceProbe | str:
    """Probe images whose source is known; a reason where none can be."""
    known = (manifest["source"] != "").to_numpy()
    named = manifest["source"][known]
    sources = sorted(set(named))
    if len(sources) < 2:
        return "no image has a known source" if not sources else f"all images of known source have the same one, {sources[0]}"
    groups = np.asarray(manifest["group"])[known]
    shortcut = source_shortcut(manifest["label"], manifest["source"])
    assert shortcut is not None
    within = {name: _told_source(pooled[known], named, groups, labels[known] == index) for index, name in enumerate(classes)}
    whole = _told_source(pooled[known], named, groups, np.ones(len(named), bool))
    contrasts = _contrasts(probabilities[known], labels[known], classes, named)
    return SourceProbe(sources, whole, within, shortcut.text, contrasts)


def _told_source(pooled: NDArray[np.float32], named: pd.Series, groups: NDArray[np.str_], rows: NDArray[np.bool_]) -> Estimate:
    if not rows.any():
        return Estimate(None, why_not="it has no image of known source")
    target = Target(pd.Categorical(named[rows]).codes.astype(np.int64), list(groups[rows]), "source")
    return (
        Estimate(None, why_not=target.why_not)
        if target.why_not
        else macro_auc(out_of_fold_probabilities(pooled[rows], target), target)
    )


def _contrasts(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], classes: tuple[str, ...], named: pd.Series
) -> list[SourceContrast]:
    found = []
    for source in sorted(set(named)):
        there = (named == source).to_numpy()
        present = [index for index in range(len(classes)) if (labels[there] == index).any()]
        for place, one in enumerate(present):
            for other in present[place + 1 :]:
                rows = there & np.isin(labels, (one, other))
                shares = probabilities[rows, one] / np.maximum(probabilities[rows][:, [one, other]].sum(axis=1), 1e-12)
                auc = area_under_roc(labels[rows] == one, shares)
                found.append(SourceContrast(source, (classes[one], classes[other]), auc))
    return found
