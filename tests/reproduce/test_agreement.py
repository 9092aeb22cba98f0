"""The verdict: by every probability of every image, never by metrics alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from cxr.evaluation.predictions import Predictions
from cxr.reproduce.agreement import Kind, agreement_of, compare_again
from cxr.tracking.logged_run import LoggedRun

CLASSES = ("COVID", "Normal")


def predictions(*covid: float, ids: tuple[str, ...] = ("a.png", "b.png", "c.png")) -> Predictions:
    """Two classes; the probabilities of the first."""
    probabilities = np.array([[probability, 1 - probability] for probability in covid])
    return Predictions(ids, CLASSES, np.zeros(len(covid), np.int64), probabilities)


def run_in(folder: Path, metrics: dict[str, float], *covid: float) -> LoggedRun:
    for name in ("evaluation", "predictions"):
        (folder / name).mkdir(parents=True)
    predictions(*covid).to_csv(folder / "predictions/test.csv")
    (folder / "evaluation/metrics.json").write_text(json.dumps({"test": {"classes": CLASSES, "metrics": metrics}}))
    return LoggedRun("0" * 32, "a run", "FINISHED", 0, {"cxr.judged_on": "test"}, {}, {}, artifacts=folder.as_uri())


THEN = predictions(0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("now", "kind"),
    [
        (predictions(0.25, 0.5, 0.75), "identical"),
        (predictions(0.25, 0.5, np.nextafter(0.75, 1)), "equal"),
        (predictions(0.25, 0.5 + 0.0625, 0.75), "equal"),  # just the tolerance
        (predictions(0.25, 0.5 - 0.07, 0.75), "different"),
        (predictions(0.75, 0.5, 0.25), "different"),
    ],
)
def test_verdict_follows_the_largest_difference_in_any_probability(now: Predictions, kind: Kind) -> None:
    assert agreement_of([(THEN, now)], [], tolerance=0.0625).kind == kind


def test_the_worst_part_decides() -> None:
    worse, same = (THEN, predictions(0.25, 0.5, 0.65)), (THEN, THEN)
    for pairs in ([same, worse], [worse, same]):
        verdict = agreement_of(pairs, [], tolerance=0.05)
        assert verdict.kind == "different"
        assert verdict.largest == pytest.approx(0.1)


@pytest.mark.parametrize(
    "now",
    [
        predictions(0.25, 0.5, ids=("a.png", "b.png")),
        predictions(0.25, 0.5, 0.75, ids=("a.png", "b.png", "d.png")),
        predictions(0.25, 0.5, 0.75, 0.5, ids=("a.png", "b.png", "c.png", "d.png")),
    ],
    ids=["one fewer", "another", "one more"],
)
def test_other_images_are_a_difference_of_images(now: Predictions) -> None:
    verdict = agreement_of([(THEN, now)], [], tolerance=1.0)
    assert verdict.kind == "different"
    assert "inf" not in verdict.text
    assert "image" in verdict.text


@pytest.mark.parametrize("pair", [(THEN, predictions(0.25, np.nan, 0.75)), (predictions(0.25, np.nan, 0.75), THEN)])
def test_nan_is_not_equal(pair: tuple[Predictions, Predictions]) -> None:
    assert agreement_of([(THEN, THEN), pair], [], tolerance=1.0).kind == "different"


def test_metrics_are_listed_then_and_now_and_do_not_decide(tmp_path: Path) -> None:
    then = run_in(tmp_path / "then", {"accuracy": 0.5, "covid/auc": float("nan"), "mcc": 0.1}, 0.25, 0.5, 0.75)
    now = run_in(tmp_path / "now", {"accuracy": 0.6, "covid/auc": 0.7}, 0.25, 0.5, 0.75)
    verdict = compare_again(then, now, tolerance=0.0)
    assert verdict.kind == "identical"
    names, before, after = zip(*verdict.metrics, strict=True)
    assert names == ("test/accuracy", "test/covid/auc", "test/mcc")
    np.testing.assert_equal(before, (0.5, np.nan, 0.1))
    np.testing.assert_equal(after, (0.6, 0.7, np.nan))
