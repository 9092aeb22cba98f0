"""The audit of a trained model: every probe, in the order in which a reader asks, and the verdict."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from cxr.audit.changes import ChangeEffect, Flip, change_effects
from cxr.audit.gate import Gate, GateTrial, fit_gate, gate_trials
from cxr.audit.other_backgrounds import on_other_backgrounds
from cxr.audit.probe import (
    Floats,
    Target,
    above_chance_retained,
    auc_draws,
    cross_region_probabilities,
    estimate_of,
    macro_auc,
    out_of_fold_probabilities,
)
from cxr.audit.region_scores import content_of, score_made
from cxr.audit.regions import FILLS, REGIONS, Images, region_of
from cxr.audit.saliency_shares import SaliencyShare, saliency_shares
from cxr.audit.sources import SourceProbe, source_probe
from cxr.audit.subject import Subject, TrainedModel
from cxr.audit.traits import NAMED, TRAITS, traits
from cxr.audit.verdict import Verdict, verdict_of
from cxr.config.schema import AuditConfig
from cxr.evaluation.estimates import Estimate, proportion

VERSION = 2
_CROSSED = ("full", "lungs_only", "lungs_removed", "border_only")  # regions that a probe of each is asked about
_SHUFFLES = 5
_NO_HELD_OUT = "no held-out image is among those that were audited"


@dataclass(frozen=True)
class RegionResult:
    """One region: the macro AUC of a linear probe that is fitted on it, and that of the trained model with its accuracy.

    The trained model is asked about held-out images alone.
    """

    region: str
    fill: str
    probe: Estimate
    model_auc: Estimate
    model_accuracy: Estimate


@dataclass(frozen=True)
class TraitResult:
    """How well a trait alone tells the class: macro AUC, and accuracy beside that of guessing the most frequent class."""

    trait: str
    auc: Estimate
    accuracy: Estimate
    majority: float


@dataclass(frozen=True)
class Audit:
    """All probes. `crossed` has the macro AUC of a probe of one region on another, by (fitted on, asked about)."""

    version: int
    images: int  # whose traits are measured
    seen: int  # that the network was shown
    held_out: int  # of these
    masks_from: str
    regions: list[RegionResult]
    crossed: dict[str, dict[str, float]]
    left_without_lungs: dict[str, Estimate]  # fill: share of above-chance performance of the probe
    kept: Estimate  # share of that of the trained model on the background of another class, held-out images alone
    traits: list[TraitResult]
    changes: list[ChangeEffect]
    flips: list[Flip]  # rows are those of the subject
    sources: SourceProbe | None
    no_sources: str
    shuffled_labels: Estimate
    saliency: list[SaliencyShare]
    gate: list[GateTrial]
    verdict: Verdict


@dataclass(frozen=True)
class _RegionScores:
    """One view of the images: what the trained model says of it, and pooled features."""

    probabilities: Floats
    pooled: NDArray[np.float32]


def audit(subject: Subject, model: TrainedModel, settings: AuditConfig, gate: Gate | None = None) -> Audit:
    """Run every probe. Deterministic: the same images, masks and model give the same numbers.

    `gate` is that of the model; without one it is fitted on half of the images here.
    """
    with threadpool_limits(1):  # many small fits, which several threads only slow down
        return _audit(subject, model, settings, gate)


def _audit(subject: Subject, model: TrainedModel, settings: AuditConfig, gate: Gate | None) -> Audit:
    alone = _trait_results(subject)
    rows = subject.sample(settings.seen)
    images_in_all, masks_from, subject = len(subject.labels), subject.masks_from, subject.only(rows)
    target, held = subject.target, subject.held_out
    content = content_of(subject)
    seen = {view: _RegionScores(*score_made(model, partial(_made, view, subject), content, *view)) for view in _views()}
    draws = (
        {}
        if target.why_not
        else {view: auc_draws(out_of_fold_probabilities(each.pooled, target), target) for view, each in seen.items()}
    )
    regions = [_region_result(view, each, draws.get(view), subject) for view, each in seen.items()]
    left = {fill: _left(draws, fill, target) for fill in FILLS}
    kept = _kept(seen, subject)
    some = np.flatnonzero(held)[:: max(1, int(held.sum()) // settings.changed)][: settings.changed]
    effects, flips = change_effects(subject.images[some], model, subject.classes)
    whole = seen["full", "mean"]
    sources = source_probe(whole.pooled, whole.probabilities, subject.labels, subject.classes, subject.manifest)
    return Audit(
        version=VERSION,
        images=images_in_all,
        seen=len(rows),
        held_out=int(held.sum()),
        masks_from=masks_from,
        regions=regions,
        crossed=_crossed(seen, target),
        left_without_lungs=left,
        kept=kept,
        traits=alone,
        changes=effects,
        flips=[replace(each, row=int(rows[some[each.row]])) for each in flips],
        sources=None if isinstance(sources, str) else sources,
        no_sources=sources if isinstance(sources, str) else "",
        shuffled_labels=_with_shuffled_labels(whole.pooled, target),
        saliency=saliency_shares(subject, model, settings.mapped),
        gate=_gate_trials(subject, whole.pooled, gate, model, some),
        verdict=verdict_of(left, {each.trait: each.auc for each in alone if each.trait in NAMED}, kept),
    )


def _gate_trials(
    subject: Subject, pooled: NDArray[np.float32], gate: Gate | None, model: TrainedModel, some: NDArray[np.int64]
) -> list[GateTrial]:
    if gate is None:
        own = np.arange(len(pooled)) % 2 == 0
        gate, some = fit_gate(pooled[own], subject.labels[own], pooled[~own]), some[~own[some]]
    return gate_trials(subject.images[some], gate, model) if gate and len(some) else []


def evidence(subject: Subject, model: TrainedModel, settings: AuditConfig) -> Verdict:
    """The verdict alone: what is left without the lungs, and the traits that name a shortcut."""
    alone, subject = _trait_results(subject, NAMED), subject.only(subject.sample(settings.seen))
    target, left = subject.target, {}
    if not target.why_not:
        views = [("full", "mean"), *(("lungs_removed", fill) for fill in FILLS)]
        seen = {view: model.score(region_of(view[0], subject.images, subject.masks, view[1]))[1] for view in views}
        draws = {view: auc_draws(out_of_fold_probabilities(pooled, target), target) for view, pooled in seen.items()}
        left = {fill: _left(draws, fill, target) for fill in FILLS}
    return verdict_of(left, {each.trait: each.auc for each in alone})


def _made(view: tuple[str, str], subject: Subject) -> Images:
    region, fill = view
    if region == "other_surroundings":
        return on_other_backgrounds(subject)
    return region_of(region, subject.images, subject.masks, fill)


def _views() -> list[tuple[str, str]]:
    """Every region filled by the mean, and without lungs in every way."""
    return [*((region, "mean") for region in REGIONS), *(("lungs_removed", fill) for fill in FILLS if fill != "mean")]


def _region_result(view: tuple[str, str], seen: _RegionScores, draws: Floats | None, subject: Subject) -> RegionResult:
    target, held = subject.target, subject.held_out
    probe = Estimate(None, why_not=target.why_not) if draws is None else estimate_of(draws)
    asked = Target(subject.labels[held], list(np.asarray(target.groups)[held]))
    if not held.any():
        lacking = Estimate(None, why_not=_NO_HELD_OUT)
        return RegionResult(*view, probe, lacking, lacking)
    right = int((seen.probabilities[held].argmax(axis=1) == asked.labels).sum())
    missing = len(set(asked.labels)) < len(subject.classes)
    model_auc = Estimate(None, why_not="a class has no held-out image") if missing else macro_auc(seen.probabilities[held], asked)
    return RegionResult(*view, probe, model_auc, proportion(right, len(asked.labels), _NO_HELD_OUT))


def _left(draws: dict[tuple[str, str], Floats], fill: str, target: Target) -> Estimate:
    if target.why_not:
        return Estimate(None, why_not=target.why_not)
    return above_chance_retained(draws["lungs_removed", fill], draws["full", "mean"])


def _kept(seen: dict[tuple[str, str], _RegionScores], subject: Subject) -> Estimate:
    held = subject.held_out
    asked = Target(subject.labels[held], list(np.asarray(subject.target.groups)[held]))
    if asked.why_not or asked.classes < len(subject.classes):
        return Estimate(None, why_not=asked.why_not or "a class has no held-out image")
    other, whole = (auc_draws(seen[each, "mean"].probabilities[held], asked) for each in ("other_surroundings", "full"))
    return above_chance_retained(other, whole)


def _with_shuffled_labels(pooled: NDArray[np.float32], target: Target) -> Estimate:
    """The mean over several shuffles of the labels, with the interval of that mean: 0.5, or labels leak into the probe."""
    if target.why_not:
        return Estimate(None, why_not=target.why_not)
    found = []
    for seed in range(_SHUFFLES):
        shuffled = target.shuffled(seed)
        probabilities = out_of_fold_probabilities(pooled, shuffled)
        found.append(roc_auc_score(np.eye(target.classes)[shuffled.labels], probabilities, average="macro"))
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(_SHUFFLES))
    return Estimate(mean, mean - t.ppf(0.975, _SHUFFLES - 1) * error, mean + t.ppf(0.975, _SHUFFLES - 1) * error)


def _crossed(seen: dict[tuple[str, str], _RegionScores], target: Target) -> dict[str, dict[str, float]]:
    if target.why_not:
        return {}
    found = cross_region_probabilities({region: seen[region, "mean"].pooled for region in _CROSSED}, target)
    values = {pair: float(auc_draws(each, target)[0]) for pair, each in found.items()}
    return {one: {other: values[one, other] for other in _CROSSED} for one in _CROSSED}


def _trait_results(subject: Subject, names: Collection[str] = tuple(TRAITS)) -> list[TraitResult]:
    target = subject.target
    majority = float(np.bincount(subject.labels).max() / len(subject.labels))
    if target.why_not:
        lacking = Estimate(None, why_not=target.why_not)
        return [TraitResult(name, lacking, lacking, majority) for name in names]
    found = []
    for name, features in traits(subject.images, subject.masks, subject.manifest, names).items():
        probabilities = out_of_fold_probabilities(features, target)
        right = int((probabilities.argmax(axis=1) == target.labels).sum())
        found.append(TraitResult(name, macro_auc(probabilities, target), proportion(right, len(target.labels), ""), majority))
    return found
