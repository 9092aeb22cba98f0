"""The gate: distances of SciPy, a limit that lets most known images pass, and out-of-distribution images that do not."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from cxr.anatomy.phantom import CLASS_SHARES, draw
from cxr.audit.gate import Gate, fit_gate, read_gate, write_gate
from cxr.audit.probes.out_of_distribution import OUT_OF_DISTRIBUTION, gate_trials
from cxr.config.schema import PhantomConfig
from cxr.evaluation.shift import GATE_PASSING
from tests.audit.made import MeanModel, noise

RNG = np.random.default_rng(0)
LABELS = np.arange(300) % 3
POOLED = (RNG.normal(size=(300, 8)) @ RNG.normal(size=(8, 8)) + 3 * np.eye(8)[LABELS]).astype(np.float32)
OWN = np.arange(300) < 200


def fitted() -> Gate:
    gate = fit_gate(POOLED[OWN], LABELS[OWN], POOLED[~OWN])
    assert gate is not None
    return gate


def test_distance_is_mahalanobis_to_the_nearest_class() -> None:
    gate = fitted()
    own = (gate.components.T * (gate.variances - gate.rest)) @ gate.components + gate.rest * np.eye(8)  # equation 4 of the paper
    precision = np.linalg.inv(own.astype(np.float64))
    expected = [min(mahalanobis(row, mean, precision) ** 2 for mean in gate.means) for row in POOLED[:20]]
    assert gate.distances(POOLED[:20]) == pytest.approx(expected, rel=1e-3)


def test_most_known_images_pass_and_far_ones_do_not() -> None:
    gate = fitted()
    assert gate.passes(POOLED[~OWN]).mean() == pytest.approx(GATE_PASSING, abs=0.011)
    assert not gate.passes(POOLED + 50).any()


@pytest.mark.parametrize("kind", sorted(OUT_OF_DISTRIBUTION))
def test_kind_keeps_number_and_size_of_images(kind: str) -> None:
    images = noise(7, seed=1).images
    made = OUT_OF_DISTRIBUTION[kind](images)
    assert made.shape == images.shape
    assert made.dtype == np.uint8
    assert (kind == "as they are") == bool((made == images).all())


def test_phantoms_pass_and_other_images_do_not() -> None:
    rows = [(label, number) for number in range(40) for label in CLASS_SHARES]
    images = np.stack([draw(label, number, PhantomConfig()) for label, number in rows])[..., None]
    model, labels = MeanModel(8), np.array([list(CLASS_SHARES).index(label) for label, _ in rows])
    subject = replace(noise(len(rows)), images=images, labels=labels)
    trials = gate_trials(subject, model.score(images)[1], None, model, np.arange(len(rows)))
    passed = {trial.kind: trial.passed.value for trial in trials}
    assert passed["as they are"] == pytest.approx(0.95, abs=0.02)
    assert {passed[kind] for kind in ("inverted", "upside down", "text", "photographs", "a limb", "turned by 90 degrees")} == {0.0}


def test_too_few_or_equal_images_fit_no_gate() -> None:
    assert fit_gate(POOLED[:20], LABELS[:20], POOLED) is None
    assert fit_gate(POOLED, LABELS, POOLED[:20]) is None
    assert fit_gate(np.ones((50, 8)), LABELS[:50], POOLED) is None


def test_gate_is_the_same_after_storing(tmp_path: Path) -> None:
    gate = fitted()
    write_gate(gate, tmp_path / "gate.npz")
    np.testing.assert_array_equal(read_gate(tmp_path / "gate.npz").passes(POOLED), gate.passes(POOLED))
    for lungs, is_needed in ((0.98, True), (0.96, False)):
        write_gate(replace(gate, lungs=lungs), tmp_path / "gate.npz")
        assert read_gate(tmp_path / "gate.npz").needs_lungs == is_needed


def test_gate_of_before_needs_no_lungs(tmp_path: Path) -> None:
    known = {name: value for name, value in asdict(fitted()).items() if name != "lungs"}
    np.savez(tmp_path / "gate.npz", **known)
    assert not read_gate(tmp_path / "gate.npz").needs_lungs


@pytest.mark.parametrize(
    "change",
    [{"limit": np.inf}, {"limit": np.nan}, {"rest": 0.0}, {"means": np.zeros((3, 7), np.float32)}, {"variances": np.ones(3)}],
)
def test_gate_that_stops_nothing_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    write_gate(replace(fitted(), **change), tmp_path / "gate.npz")
    with pytest.raises(ValueError, match=r"its arrays do not fit|not finite"):
        read_gate(tmp_path / "gate.npz")
