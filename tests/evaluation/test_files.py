"""What evaluation writes: predictions that survive, figures that are right at any number of classes, a page that stands alone."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.evaluation.figures import class_figure, confusion_figure, draw_figures, save_figures
from cxr.evaluation.history import TrainingCurves
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report import FIGURES, ReportFacts, classification_text, write_report

CURVES = TrainingCurves(
    [1, 2, 3],
    ["head warm-up", "fine-tuning", "fine-tuning"],
    {"train/loss": [3, 2, 1], "val/loss": [3, 2, 2.5], "train/accuracy": [0.1, 0.2, 0.3], "val/accuracy": [0.1, 0.3, 0.2]},
    best_epoch=2,
)


def made(classes: tuple[str, ...], count: int = 60) -> Predictions:
    rng = np.random.default_rng(0)
    scores = rng.random((count, len(classes)))
    labels = rng.integers(0, len(classes), count)
    return Predictions(
        tuple(f"a/{index}.png" for index in range(count)), classes, labels, scores / scores.sum(axis=1, keepdims=True)
    )


def test_predictions_survive_their_file_to_the_last_bit(tmp_path: Path) -> None:
    predictions = made(("COVID", "Normal", "NA"))
    predictions.to_csv(tmp_path / "test.csv")
    again = Predictions.from_csv(tmp_path / "test.csv", predictions.classes)
    order = np.argsort(predictions.ids)
    assert again.ids == tuple(np.array(predictions.ids)[order])
    np.testing.assert_array_equal(again.labels, predictions.labels[order])
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities[order])
    assert (tmp_path / "test.csv").read_text().startswith("id,label,predicted,p_covid,p_normal,p_na\n")


@pytest.mark.parametrize("classes", [2, 3, 12])
def test_every_figure_is_drawn_wide_enough_to_read_and_the_same_twice(classes: int, tmp_path: Path) -> None:
    predictions = made(tuple(f"A rather long class name {index}" for index in range(classes)))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save_figures(draw_figures(predictions, evaluate(predictions), CURVES, "test"), tmp_path / folder, dpi=110)
    assert {path.stem for path in (tmp_path / "a").iterdir()} == set(FIGURES) - {"vs_baseline"}
    for path in (tmp_path / "a").iterdir():
        assert Image.open(path).width >= 600
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_figures_say_what_the_numbers_say() -> None:
    predictions = made(("COVID", "Normal"))
    evaluation = evaluate(predictions)
    texts = [text.get_text() for text in confusion_figure(predictions, evaluation, "test").axes[0].texts]
    rows = evaluation.confusion.sum(axis=1)
    assert texts == [f"{n:,}\n{n / rows[i]:.1%}" for i, row in enumerate(evaluation.confusion) for n in row]
    shown = [text.get_text() for text in class_figure(predictions, evaluation, "test").axes[0].texts]
    assert shown[0].startswith(f"{evaluation.numbers['covid/sensitivity']:.3f} ")
    assert shown[1].startswith(f"{evaluation.numbers['covid/specificity']:.3f} ")


def test_a_class_that_never_occurs_does_not_stop_the_figures() -> None:
    predictions = made(("COVID", "Normal"), 20)
    predictions.labels[:] = 1
    assert set(draw_figures(predictions, evaluate(predictions), CURVES, "test")) == set(FIGURES) - {"vs_baseline"}


def test_the_report_stands_alone_and_its_numbers_agree(tmp_path: Path) -> None:
    predictions = made(("COVID", "Normal <b>"))
    evaluation = evaluate(predictions)
    save_figures(draw_figures(predictions, evaluation, CURVES, "test"), tmp_path, dpi=60)
    facts = ReportFacts(
        "a run", "test", "60 images", [("COVID", {"test": 60})], {"freeze": "head"}, ["Fake."], [], "No baseline yet."
    )
    write_report(tmp_path / "report.html", facts, predictions, evaluation, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert f"Accuracy<b>{evaluation.numbers['accuracy']:.3f}</b>" in page
    assert "not a medical device" in page
    assert "Normal &lt;b&gt;" in page
    assert "Normal <b>" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "No baseline yet." in page
    assert page.count('alt="') == len(FIGURES) - 1  # no difference from a baseline


def test_the_classification_report_has_every_class() -> None:
    text = classification_text(made(("COVID", "Normal", "never seen"), 5))
    assert "never seen" in text
    assert "macro avg" in text
