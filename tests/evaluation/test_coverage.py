"""The coverage of intervals; scripts/bench coverage measures it at length."""

import numpy as np
import pytest

from cxr.evaluation.metrics import evaluate, with_resampling
from tests.evaluation.made import skilled

pytestmark = pytest.mark.slow

NAMES = ("accuracy", "covid/sensitivity", "covid/ppv", "covid/auc", "macro_f1", "mcc", "auc_macro_ovr", "auprc_macro_ovr")


@pytest.mark.parametrize("count", [50, 200])
def test_intervals_cover(count: int) -> None:
    truth = evaluate(skilled(0, 200_000)).numbers
    repeats = 300
    held = dict.fromkeys(NAMES, 0)
    for seed in range(1, repeats + 1):
        shown = skilled(seed, count)
        found = with_resampling(evaluate(shown), shown, shown.ids, 100).estimates
        for name in NAMES:
            low, high = found[name].low, found[name].high
            held[name] += low is not None and high is not None and low <= truth[name] <= high
    # 300 repeats of 0.95 give 0.90 or less once in 10,000 times; these are the same repeats each time.
    assert min(held.values()) / repeats > 0.90
    assert np.mean(list(held.values())) / repeats == pytest.approx(0.95, abs=0.025)
