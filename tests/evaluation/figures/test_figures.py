"""Figures: correct for any number of classes, readable, reproducible, with titles, axis names and n."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.figures.classes import class_figure, confusion_figure
from cxr.evaluation.figures.drawing import Drawn, png_of
from cxr.evaluation.figures.pictures import failures_figure, gallery_figure, mean_saliency_figure
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.figures.training import TrainingCurves, training_curves
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import gallery
from tests.evaluation.documents import assessed, film, pictured
from tests.evaluation.made import CLASSES, skilled

CURVES = TrainingCurves(
    [1, 2, 3],
    ["head warm-up", "fine-tuning", "fine-tuning"],
    {"train/loss": [3, 2, 1], "val/loss": [3, 2, 2.5], "train/accuracy": [0.1, 0.2, 0.3], "val/accuracy": [0.1, 0.3, 0.2]},
    best_epoch=2,
)
NAMES = [
    *("confusion_matrix", "sensitivity_specificity", "roc_curves", "pr_curves", "operating_points", "reliability"),
    *("decision_curve", "triage_workload", "predictive_values", "subgroups"),
]


SHOWN = skilled(1)


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    return assessed(SHOWN)


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_figures_are_drawn_and_wide_enough_to_read(classes: int) -> None:
    names = ("COVID", "Normal", *(f"A rather long class name {index}" for index in range(2, classes)))
    shown = skilled(1, 100, classes=names)
    drawn = [*assessment_figures(shown, assessed(shown)), training_curves(CURVES)]
    assert [figure.name for figure in drawn] == [*NAMES, "training_curves"]
    for figure in drawn:
        picture = Image.open(io.BytesIO(png_of(figure.figure, 110)))
        assert 600 <= picture.width <= 2600, figure.name
        assert np.asarray(picture).std() > 5, figure.name


def test_same_numbers_are_the_same_bytes(assessment: Assessment) -> None:
    assert pictured(SHOWN, assessment) == pictured(SHOWN, assessment)


def test_figures_have_titles_axis_names_captions_and_alternative_texts(assessment: Assessment) -> None:
    for drawn in assessment_figures(SHOWN, assessment):
        title, axes = " ".join(drawn.figure.get_suptitle().split()), drawn.figure.axes
        assert "n = 300" in title, drawn.name
        assert axes[0].get_ylabel() or axes[0].get_yticklabels(), drawn.name
        assert any(one.get_xlabel() for one in axes), drawn.name
        texts = " ".join([title, *(f"{one.get_xlabel()} {one.get_ylabel()}" for one in axes)]).lower()
        words = ("share", "proportion", "probability", "class", "patients", "benefit")
        assert any(word in texts for word in words), drawn.name
        assert len(drawn.caption) > 30
        assert any(character.isdigit() for character in drawn.alt), drawn.name


def test_texts_of_figures_are_those_of_the_numbers(assessment: Assessment) -> None:
    rows = np.array(assessment.confusion).sum(axis=1)
    cells = [text.get_text() for text in confusion_figure(assessment).axes[0].texts]
    assert cells == [f"{n:,}\n{n / rows[i]:.1%}" for i, row in enumerate(assessment.confusion) for n in row]
    rates = [text.get_text() for text in class_figure(assessment).axes[0].texts]
    assert rates[0].startswith(f"{assessment.estimates['covid/sensitivity'].value:.3f} ")
    assert rates[1].startswith(f"{assessment.estimates['covid/specificity'].value:.3f} ")
    roc = next(drawn for drawn in assessment_figures(SHOWN, assessment) if drawn.name == "roc_curves")
    labels = [str(line.get_label()) for line in roc.figure.axes[0].get_lines()]
    assert any(assessment.estimates["covid/auc"].text in label for label in labels)


@pytest.mark.parametrize(
    "shown",
    [
        replace(skilled(1, 20), labels=np.zeros(20, np.int64)),
        replace(skilled(1, 20), labels=np.ones(20, np.int64)),
        skilled(1, 60, skill=0.5, classes=("COVID", r"No$\\foo$rmal", "$_^_$")),
    ],
    ids=["only the positive class", "no positive class", "names like formulas"],
)
def test_figures_of_awkward_predictions_are_drawn(shown: Predictions) -> None:
    for drawn in assessment_figures(shown, assessed(shown)):
        png_of(drawn.figure, 50)


def test_missing_positive_class_has_no_figures() -> None:
    shown = SHOWN.only(np.flatnonzero(SHOWN.labels))
    drawn = {figure.name for figure in assessment_figures(shown, assessed(shown))}
    assert not {"triage_workload", "predictive_values", "decision_curve"} & drawn


def test_image_figures_have_a_tile_for_each_image() -> None:
    shown = skilled(1, 60, skill=0.8)
    assessment = assessed(shown)
    exhibits = gallery(shown, 2)
    maps = np.random.default_rng(0).normal(size=(len(exhibits), 3, 3)).astype(np.float32)
    drawn: list[Drawn] = [
        gallery_figure(exhibits, film(len(exhibits)), maps),
        mean_saliency_figure(CLASSES, [film(4), film(2), film(0)], [maps[:4], maps[:2], maps[:0]]),
        failures_figure(assessment.failures, film(len(assessment.failures))),
    ]
    assert drawn[0].alt.endswith("6 classified correctly and 6 wrongly.")
    captions = [[text.get_text() for text in figure.figure.axes[0].texts] for figure in drawn]
    assert sum("WRONG" in caption for caption in captions[0]) == 6
    assert captions[1][2] == "Viral Pneumonia: no image"
    first = assessment.failures[0]
    assert f"called {first.predicted} ({first.probabilities[first.predicted]:.2f})" in captions[2][0]
    for figure in drawn:
        assert Image.open(io.BytesIO(png_of(figure.figure, 110))).width >= 600


def test_soup_has_runs_where_a_training_has_epochs() -> None:
    soup = TrainingCurves([1, 2], ["soup", "soup"], {"val/loss": [0.2, 0.3], "val/accuracy": [0.9, 0.8]}, 1)
    assert "Curves of 2 runs, of which run 1 was kept" in training_curves(soup).alt
    assert "Curves of 3 epochs, of which epoch 2 was kept" in training_curves(CURVES).alt
