"""The whole audit on made-up images: noise has no shortcut, a planted corner is one, and reasons are in place of nan."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from cxr.audit.account import account_of
from cxr.audit.audit import audit
from cxr.audit.probes.changes import change_effects
from cxr.audit.probes.saliency import in_cells, saliency_shares
from cxr.audit.probes.sources import SourceProbe, source_probe
from cxr.audit.subject import Subject, chosen_rows
from cxr.config.schema import AuditConfig
from tests.audit.made import CLASSES, MeanModel, noise

SETTINGS = AuditConfig(changed=200)


def marked(subject: Subject) -> Subject:
    """A bright corner for the first class, another one for the second."""
    images = subject.images.copy()
    images[subject.labels == 0, :8, :8] = 255
    images[subject.labels == 1, -8:, -8:] = 255
    return replace(subject, images=images)


def test_noise_has_no_shortcut_and_a_marked_corner_is_one() -> None:
    plain, planted = audit(noise(), MeanModel(), SETTINGS), audit(marked(noise()), MeanModel(), SETTINGS)
    assert plain.verdict.light in ("none", "unknown")
    assert planted.verdict.light == "strong"
    assert planted.verdict.places[0] == "corners"
    assert (planted.left_without_lungs["mean"].low or 0) > 0.8
    effects = {effect.name: effect.flipped.value or 0 for effect in planted.changes}
    corners = [effects.pop(f"{place} corner covered") for place in ("upper left", "lower right")]
    assert min(corners) > max(effects[f"{place} corner covered"] for place in ("upper right", "lower left"))
    assert {flip.row for flip in planted.flips} <= set(np.flatnonzero(noise().held_out))
    assert (planted.shuffled_labels.low or 0) < 0.5 < (planted.shuffled_labels.high or 1)


@pytest.mark.parametrize(
    "subject",
    [
        noise(12),
        noise(60, classes=2),
        replace(noise(40), held_out=np.zeros(40, bool)),
        replace(noise(40), masks=np.zeros((40, 48, 48), bool)),
        replace(noise(40), masks=np.ones((40, 48, 48), bool)),
        replace(noise(40), images=np.zeros((40, 48, 48, 1), np.uint8)),
    ],
    ids=["few", "two classes", "none held out", "empty masks", "full masks", "black images"],
)
def test_audit_of_unusual_images_has_numbers_or_reasons(subject: Subject) -> None:
    result = audit(subject, TwoClasses() if len(subject.classes) == 2 else MeanModel(), SETTINGS)
    json.dumps(asdict(result), allow_nan=False)
    for estimate in (*(region.probe for region in result.regions), *(trait.auc for trait in result.traits)):
        assert estimate.value is not None or estimate.why_not
    assert account_of(result).verdict


class TwoClasses(MeanModel):
    def score(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, pooled = super().score(images)
        first = probabilities[:, :2]
        return first / first.sum(axis=1, keepdims=True), pooled


class Unmoved(MeanModel):
    def head(self, pooled: np.ndarray) -> np.ndarray:
        return np.tile([0.7, 0.2, 0.1], (len(pooled), 1))


def test_change_of_what_the_model_ignores_flips_nothing() -> None:
    subject = noise(20)
    effects, flips = change_effects(subject.images, Unmoved(), CLASSES)
    assert {(effect.flipped.value, effect.moved, effect.towards) for effect in effects} == {(0.0, 0.0, "")}
    assert flips == []


def test_saliency_share_is_counted_by_area() -> None:
    subject = noise(12)
    assert in_cells(np.ones((1, 50, 50), bool), (7, 7)) == pytest.approx(1)
    half = np.zeros((1, 48, 48), bool)
    half[:, :, :24] = True
    np.testing.assert_allclose(in_cells(half, (2, 2))[0], [[1, 0], [1, 0]])
    shares = saliency_shares(subject, MeanModel(), 4)  # all of it in a corner, where no lung is
    assert [share.in_lungs for share in shares] == [0.0, 0.0, 0.0]
    assert shares[0].evenly == pytest.approx(0.25, abs=0.05)


def test_chosen_rows_are_held_out_first_and_keep_class_shares() -> None:
    labels = np.repeat([0, 1], [80, 20])
    held = np.arange(100) % 2 == 0
    assert set(chosen_rows(labels, held, 1000, with_training=False)) == set(np.flatnonzero(held))
    assert len(chosen_rows(labels, held, 1000, with_training=True)) == 100
    few = chosen_rows(labels, held, 20, with_training=True)
    assert held[few].all()
    assert np.bincount(labels[few]).tolist() == [16, 4]
    assert 9 <= len(chosen_rows(np.repeat([0, 1, 2], 7), np.ones(21, bool), 10, with_training=False)) <= 11  # rounded shares


def test_sources_are_predicted_within_a_class_and_classes_within_a_source() -> None:
    subject = noise(120)
    sources = np.where(np.arange(120) % 2, "A", "B")
    pooled = np.random.default_rng(0).normal(size=(120, 4)) + 3 * (sources == "A")[:, None]
    probabilities = MeanModel().score(subject.images)[0]
    result = source_probe(with_source(subject, sources), probabilities, pooled.astype(np.float32))
    assert isinstance(result, SourceProbe)
    assert (result.told.low or 0) > 0.9
    assert all((auc.low or 0) > 0.8 for auc in result.within.values())
    assert {(contrast.source, contrast.classes) for contrast in result.contrasts} >= {("A", ("COVID", "Normal"))}
    for source, reason in (("", "no image has a known source"), ("A", "have the same one, A")):
        assert reason in str(source_probe(with_source(subject, source), probabilities, pooled.astype(np.float32)))


def with_source(subject: Subject, source: str | np.ndarray) -> Subject:
    return replace(subject, manifest=subject.manifest.assign(source=source))
