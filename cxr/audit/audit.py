"""The audit of a trained model: every probe, and the verdict.

A new probe is a file in `probes/`; its result is a field of `Audit`, filled in `_audit`, with its metrics in `Audit.metrics`; and
`account.py` has its table or line. No other file knows probes by name.
"""

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from cxr.audit.gate import Gate
from cxr.audit.linear_probe import auc_of_shuffled_labels
from cxr.audit.probes.changes import ChangeEffect, Flip, change_effects
from cxr.audit.probes.out_of_distribution import GateTrial, gate_trials
from cxr.audit.probes.regions import (
    WHOLE,
    RegionResult,
    region_result,
    retained_on_other_backgrounds,
    retained_without_lungs,
    score_regions,
)
from cxr.audit.probes.saliency import SaliencyShare, saliency_shares
from cxr.audit.probes.sources import SourceProbe, source_probe
from cxr.audit.probes.traits import TraitResult, named_aucs, trait_results
from cxr.audit.subject import Subject, TrainedModel
from cxr.audit.verdict import Verdict, verdict_of
from cxr.config.schema import AuditConfig
from cxr.evaluation.estimates import Estimate

VERSION = 2


@dataclass(frozen=True)
class Audit:
    """The results of all probes, as audit/audit.json stores them; a reader leaves out keys of earlier files, such as `crossed`."""

    version: int
    images: int  # whose traits are measured
    seen: int  # that the network was shown
    held_out: int  # of these
    masks_from: str
    regions: list[RegionResult]
    left_without_lungs: dict[str, Estimate]  # by fill
    kept: Estimate  # share of above-chance performance that the trained model retains on the background of another class
    traits: list[TraitResult]
    changes: list[ChangeEffect]
    flips: list[Flip]  # rows are those of the subject
    sources: SourceProbe | None
    no_sources: str
    shuffled_labels: Estimate
    saliency: list[SaliencyShare]
    gate: list[GateTrial]
    verdict: Verdict

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers as MLflow metrics; what has no value is left out."""
        inside = [share.in_lungs for share in self.saliency if share.in_lungs is not None]
        values = {
            "audit/images": float(self.images),
            **{f"audit/left_without_lungs_{fill}": share.value for fill, share in self.left_without_lungs.items()},
            **{f"audit/auc_of_{result.trait}": result.auc.value for result in self.traits},
            **{f"audit/auc_in_{result.region}": result.model_auc.value for result in self.regions if result.fill == "mean"},
            "audit/kept_on_other_surroundings": self.kept.value,
            "audit/auc_of_shuffled_labels": self.shuffled_labels.value,
            "audit/saliency_in_lungs": float(np.mean(inside)) if inside else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def audit(subject: Subject, model: TrainedModel, settings: AuditConfig, gate: Gate | None = None) -> Audit:
    """Run every probe. Deterministic: the same images, masks and model give the same numbers.

    `gate` is that of the model; without one it is fitted on half of the images here.
    """
    with threadpool_limits(1):  # many small fits, which several threads only slow down
        return _audit(subject, model, settings, gate)


def _audit(whole: Subject, model: TrainedModel, settings: AuditConfig, gate: Gate | None) -> Audit:
    traits, rows = trait_results(whole), whole.sample(settings.seen)
    subject = whole.only(rows)
    held_out = np.flatnonzero(subject.held_out)
    changed = held_out[:: max(1, len(held_out) // settings.changed)][: settings.changed]
    scores = score_regions(subject, model)
    full = scores[WHOLE]
    left, retained = retained_without_lungs(scores, subject), retained_on_other_backgrounds(scores, subject)
    effects, flips = change_effects(subject.images[changed], model, subject.classes)
    sources = source_probe(subject, full.probabilities, full.pooled)
    return Audit(
        version=VERSION,
        images=len(whole.labels),
        seen=len(rows),
        held_out=len(held_out),
        masks_from=subject.masks_from,
        regions=[region_result(view, scored, subject) for view, scored in scores.items()],
        left_without_lungs=left,
        kept=retained,
        traits=traits,
        changes=effects,
        flips=[replace(flip, row=int(rows[changed[flip.row]])) for flip in flips],
        sources=None if isinstance(sources, str) else sources,
        no_sources=sources if isinstance(sources, str) else "",
        shuffled_labels=auc_of_shuffled_labels(full.pooled, subject.target),
        saliency=saliency_shares(subject, model, settings.mapped),
        gate=gate_trials(subject, full.pooled, gate, model, changed),
        verdict=verdict_of(left, named_aucs(traits), retained),
    )
