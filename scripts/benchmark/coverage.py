"""How often 95 % intervals hold the truth, on simulated predictions whose truth is known."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
from measure import Options, table
from rich.table import Table

from cxr.evaluation.metrics import evaluate, with_resampling
from cxr.evaluation.predictions import Predictions
from cxr.system import cores

CLASSES = ("COVID", "Lung Opacity", "Normal", "Viral Pneumonia")
NAMES = (
    *("accuracy", "covid/sensitivity", "covid/specificity", "covid/ppv", "covid/npv", "covid/auc", "covid/auprc"),
    *("balanced_accuracy", "macro_f1", "mcc", "auc_macro_ovr", "auprc_macro_ovr", "brier", "log_loss"),
)
_SIZES = (50, 200, 1000)  # images of a test set
_MANY = 400_000  # images whose numbers are the truth


def answer(options: Options) -> Iterator[Table]:
    """For each metric and number of images, the share of sets whose interval holds the truth, of those that have one."""
    sets = options.args.sets
    truth = evaluate(predictions(0, _MANY)).numbers
    title = f"Share of {sets:,} simulated test sets whose 95 % interval holds the truth"
    result = table(title, *(f"n = {size:,}" for size in _SIZES))
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        shares = []
        for count in _SIZES:
            holds = list(pool.map(partial(_holds, count=count, truth=truth), range(1, sets + 1), chunksize=8))
            shares.append({name: float(np.nanmean([of_set[name] for of_set in holds])) for name in NAMES})
    for name in NAMES:
        result.add_row(name, *(f"{of_size[name]:.3f}" for of_size in shares))
    yield result


def predictions(seed: int, count: int) -> Predictions:
    """A softmax classifier whose logits are normal around the truth: macro AUC about 0.92; one image in five is COVID."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(CLASSES), count, p=[0.2, 0.2, 0.4, 0.2])
    logits = rng.normal(size=(count, len(CLASSES)))
    logits[np.arange(count), labels] += 2
    odds = np.exp(1.5 * logits)
    return Predictions(tuple(f"{row:06d}" for row in range(count)), CLASSES, labels, odds / odds.sum(axis=1, keepdims=True))


def _holds(seed: int, count: int, truth: dict[str, float]) -> dict[str, float]:
    """For each metric whether the interval of one set holds the truth: 1 or 0, NaN where there is no interval."""
    shown = predictions(seed, count)
    estimates = with_resampling(evaluate(shown), shown, shown.ids, 500).estimates
    return {
        name: np.nan
        if estimates[name].low is None
        else float((estimates[name].low or 0) <= truth[name] <= (estimates[name].high or 0))
        for name in NAMES
    }
