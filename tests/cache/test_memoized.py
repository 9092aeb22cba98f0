"""Results are kept by the content of arguments, the latest of them."""

import numpy as np

from cxr.audit.linear_probe import Target, out_of_fold_probabilities
from cxr.cache.memoized import memoized_by_content


def test_same_content_is_computed_once() -> None:
    computed = []

    @memoized_by_content(lambda values, ignored: values, most=2)
    def total(values: np.ndarray, ignored: str) -> float:
        computed.append(ignored)
        return float(values.sum())

    ones, twos = np.ones(3), np.full(3, 2.0)
    assert [total(ones, "a"), total(ones.copy(), "b"), total(twos, "c"), total(ones.astype(np.float32), "d")] == [3, 3, 6, 3]
    assert computed == ["a", "c", "d"]  # of another type is other content
    total(ones, "e")  # gone: there is room for two
    assert computed == ["a", "c", "d", "e"]


def test_probe_of_other_labels_or_groups_is_computed_again() -> None:
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
