"""The gate: distances of SciPy, a limit that lets most known images pass, and odd images that do not."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from cxr.audit.gate import ODD, PASSING, fit_gate, gate_trials
from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import CLASS_SHARES, draw
from tests.audit.made import MeanModel, noise

RNG = np.random.default_rng(0)
LABELS = np.arange(300) % 3
POOLED = (RNG.normal(size=(300, 8)) @ RNG.normal(size=(8, 8)) + 3 * np.eye(8)[LABELS]).astype(np.float32)
OWN = np.arange(300) < 200


def test_distances_are_mahalanobis_to_the_nearest_class() -> None:
    gate = fit_gate(POOLED, LABELS, OWN)
    expected = [min(mahalanobis(row, mean, gate.precision) ** 2 for mean in gate.means) for row in POOLED[:20]]
    assert gate.distances(POOLED[:20]) == pytest.approx(expected, rel=1e-6)


def test_most_known_images_pass_and_far_ones_do_not() -> None:
    gate = fit_gate(POOLED, LABELS, OWN)
    assert gate.passes(POOLED[~OWN]).mean() == pytest.approx(PASSING, abs=0.011)
    assert not gate.passes(POOLED + 50).any()


@pytest.mark.parametrize("kind", sorted(ODD))
def test_each_kind_has_as_many_images_of_the_same_size(kind: str) -> None:
    images = noise(7, seed=1).images
    found = ODD[kind](images)
    assert found.shape == images.shape
    assert found.dtype == np.uint8
    assert (kind == "as they are") == bool((found == images).all())


def test_phantoms_pass_and_what_is_no_chest_does_not() -> None:
    rows = [(label, number) for number in range(40) for label in CLASS_SHARES]
    images = np.stack([draw(label, number, PhantomConfig()) for label, number in rows])[..., None]
    model, labels = MeanModel(8), np.array([list(CLASS_SHARES).index(label) for label, _ in rows])
    found = {each.kind: each.passed.value for each in gate_trials(images, model.score(images)[1], labels, model)}
    assert found["as they are"] == pytest.approx(0.95, abs=0.02)
    assert {found[kind] for kind in ("inverted", "upside down", "text", "photographs", "turned by 90 degrees")} == {0.0}


def test_too_few_images_fit_no_gate() -> None:
    subject = noise(40)
    assert gate_trials(subject.images, np.zeros((40, 3)), subject.labels, MeanModel()) == []
