"""Results are kept by the content of what was asked, and no longer than there is room."""

import numpy as np

from cxr.audit.linear_probe import Target, out_of_fold_probabilities
from cxr.cache.memoized import memoized_by_content


def test_the_same_content_is_computed_once_and_other_content_anew() -> None:
    asked = []

    @memoized_by_content(lambda values, ignored: values, most=2)
    def total(values: np.ndarray, ignored: str) -> float:
        asked.append(ignored)
        return float(values.sum())

    ones, twos = np.ones(3), np.full(3, 2.0)
    assert [total(ones, "a"), total(ones.copy(), "b"), total(twos, "c"), total(ones.astype(np.float32), "d")] == [3, 3, 6, 3]
    assert asked == ["a", "c", "d"]  # of another type is other content
    total(ones, "e")  # gone: there is room for two
    assert asked == ["a", "c", "d", "e"]


def test_a_probe_of_the_same_features_is_another_for_other_labels_and_groups() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    features = rng.normal(0, 1, (60, 5)) + labels[:, None]
    target = Target(labels, [f"patient {row}" for row in range(60)])
    first = out_of_fold_probabilities(features, target)
    np.testing.assert_array_equal(out_of_fold_probabilities(features, Target(labels.copy(), list(target.groups))), first)
    assert not np.array_equal(out_of_fold_probabilities(features, Target(1 - labels, list(target.groups))), first)
    assert not np.array_equal(
        out_of_fold_probabilities(features, Target(labels, [f"patient {row // 2}" for row in range(60)])), first
    )
