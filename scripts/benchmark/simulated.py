"""Simulated predictions with known truth: the coverage of intervals, and the time of an evaluation."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Evidence, assess
from cxr.evaluation.figures.drawing import pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.metrics import evaluate, with_resampling
from cxr.evaluation.predictions import Predictions
from cxr.system import cores

CLASSES = ("COVID", "Lung Opacity", "Normal", "Viral Pneumonia")
NAMES = (
    *("accuracy", "covid/sensitivity", "covid/specificity", "covid/ppv", "covid/npv", "covid/auc", "covid/auprc"),
    *("balanced_accuracy", "macro_f1", "mcc", "auc_macro_ovr", "auprc_macro_ovr", "brier", "log_loss"),
)
_MANY = 400_000  # images whose numbers are the truth


def predictions(seed: int, count: int) -> Predictions:
    """A softmax classifier whose logits are normal around the truth: macro AUC about 0.92; one image in five is COVID."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(CLASSES), count, p=[0.2, 0.2, 0.4, 0.2])
    logits = rng.normal(size=(count, len(CLASSES)))
    logits[np.arange(count), labels] += 2
    odds = np.exp(1.5 * logits)
    return Predictions(tuple(f"{row:06d}" for row in range(count)), CLASSES, labels, odds / odds.sum(axis=1, keepdims=True))


def coverage(counts: Sequence[int], repeats: int, resamples: int) -> list[dict[str, float]]:
    """For each number of images, by name, the share of so many sets whose 95 % interval holds the truth, of those that have one."""
    truth = evaluate(predictions(0, _MANY)).numbers
    found = []
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        for count in counts:
            held = list(pool.map(partial(_held, count=count, resamples=resamples, truth=truth), range(1, repeats + 1), chunksize=8))
            found.append({name: float(np.nanmean([each[name] for each in held])) for name in NAMES})
    return found


def _held(seed: int, count: int, resamples: int, truth: dict[str, float]) -> dict[str, float]:
    shown = predictions(seed, count)
    found = with_resampling(evaluate(shown), shown, shown.ids, resamples).estimates
    return {
        name: np.nan if found[name].low is None else float((found[name].low or 0) <= truth[name] <= (found[name].high or 0))
        for name in NAMES
    }


@dataclass(frozen=True)
class Seconds:
    """Of one evaluation: all numbers, then all figures that follow from predictions."""

    numbers: float
    figures: float


def evaluation_seconds(count: int) -> Seconds:
    """Assess so many predictions, with five sources, as a run does."""
    sources = pd.DataFrame({"source": np.random.default_rng(0).choice(list("abcde"), count)})
    evaluated = predictions(2, count)
    started = time.perf_counter()
    found = assess(Evidence(predictions(1, count), evaluated, "test", evaluated.ids, sources), EvaluationConfig())
    counted = time.perf_counter()
    pictures_of(assessment_figures(evaluated, found), EvaluationConfig().figure_dpi)
    return Seconds(counted - started, time.perf_counter() - counted)
