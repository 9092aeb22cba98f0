"""Figures: correct for any number of classes, readable, reproducible, with titles, axis names and n."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cxr.evaluation.figures.classes import class_figure, confusion_figure
from cxr.evaluation.figures.drawing import Drawn, png_of
from cxr.evaluation.figures.pictures import failures_figure, gallery_figure, mean_saliency_figure
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.figures.training import TrainingCurves, training_curves
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


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_every_figure_is_drawn_and_wide_enough_to_read(classes: int) -> None:
    names = ("COVID", "Normal", *(f"A rather long class name {index}" for index in range(2, classes)))
    shown = skilled(1, 100, classes=names)
    found = assessed(shown)
    drawn = [*assessment_figures(shown, found), training_curves(CURVES)]
    assert [each.name for each in drawn] == [*NAMES, "training_curves"]
    for each in drawn:
        picture = Image.open(io.BytesIO(png_of(each.figure, 110)))
        assert 600 <= picture.width <= 2600, each.name
        assert np.asarray(picture).std() > 5, each.name


def test_the_same_numbers_are_the_same_bytes() -> None:
    shown = skilled(1)
    found = assessed(shown)
    assert pictured(shown, found) == pictured(shown, found)


def texts(figure: Figure) -> str:
    said = [figure.get_suptitle(), *(axes.get_xlabel() for axes in figure.axes), *(axes.get_ylabel() for axes in figure.axes)]
    return " ".join(said)


def test_every_figure_has_a_title_with_n_axis_names_with_units_a_caption_and_an_alternative_text() -> None:
    shown = skilled(1)
    for each in assessment_figures(shown, assessed(shown)):
        assert "n = 300" in " ".join(each.figure.get_suptitle().split()), each.name
        for axes in each.figure.axes:
            assert axes.get_ylabel() or axes.get_yticklabels() or axes is not each.figure.axes[0], each.name
        assert any(axes.get_xlabel() for axes in each.figure.axes), each.name
        words = ("share", "proportion", "probability", "class", "patients", "benefit")
        assert any(word in texts(each.figure).lower() for word in words), each.name
        assert len(each.caption) > 30
        assert any(character.isdigit() for character in each.alt), each.name


def test_figures_say_what_the_numbers_say() -> None:
    shown = skilled(1)
    found = assessed(shown)
    rows = np.array(found.confusion).sum(axis=1)
    said = [text.get_text() for text in confusion_figure(found).axes[0].texts]
    assert said == [f"{n:,}\n{n / rows[i]:.1%}" for i, row in enumerate(found.confusion) for n in row]
    told = [text.get_text() for text in class_figure(found).axes[0].texts]
    assert told[0].startswith(f"{found.estimates['covid/sensitivity'].value:.3f} ")
    assert told[1].startswith(f"{found.estimates['covid/specificity'].value:.3f} ")
    roc = next(each for each in assessment_figures(shown, found) if each.name == "roc_curves")
    labels = [str(line.get_label()) for line in roc.figure.axes[0].get_lines()]
    assert any(found.estimates["covid/auc"].text in label for label in labels)


@pytest.mark.parametrize("label", [0, 1])
def test_a_class_that_never_occurs_does_not_stop_the_figures(label: int) -> None:
    shown = skilled(1, 20)
    shown.labels[:] = label
    for each in assessment_figures(shown, assessed(shown)):
        png_of(each.figure, 50)


def test_names_with_dollar_signs_are_text_and_no_formulas() -> None:
    names = ("COVID", r"No$\\foo$rmal", "$_^_$")
    shown = skilled(1, 60, skill=0.5, classes=names)
    for each in assessment_figures(shown, assessed(shown)):
        png_of(each.figure, 50)


def test_without_images_of_the_positive_class_nothing_is_drawn_of_it() -> None:
    shown = skilled(1).only(np.flatnonzero(skilled(1).labels))
    drawn = {each.name for each in assessment_figures(shown, assessed(shown))}
    assert not {"triage_workload", "predictive_values", "decision_curve"} & drawn


def test_pictures_show_the_films_they_were_given() -> None:
    shown = skilled(1, 60, skill=0.8)
    found = assessed(shown)
    exhibits = gallery(shown, 2)
    maps = np.random.default_rng(0).normal(size=(len(exhibits), 3, 3)).astype(np.float32)
    drawn: list[Drawn] = [
        gallery_figure(exhibits, film(len(exhibits)), maps),
        mean_saliency_figure(CLASSES, [film(4), film(2), film(0)], [maps[:4], maps[:2], maps[:0]]),
        failures_figure(found.failures, film(len(found.failures))),
    ]
    assert drawn[0].alt.endswith("6 classified correctly and 6 wrongly.")
    captions = [[text.get_text() for text in each.figure.axes[0].texts] for each in drawn]
    assert sum("WRONG" in caption for caption in captions[0]) == 6
    assert captions[1][2] == "Viral Pneumonia: no image"
    first = found.failures[0]
    assert f"called {first.predicted} ({first.probabilities[first.predicted]:.2f})" in captions[2][0]
    for each in drawn:
        assert Image.open(io.BytesIO(png_of(each.figure, 110))).width >= 600


def test_a_soup_has_runs_where_a_training_has_epochs() -> None:
    soup = TrainingCurves([1, 2], ["soup", "soup"], {"val/loss": [0.2, 0.3], "val/accuracy": [0.9, 0.8]}, 1)
    assert "Curves of 2 runs, of which run 1 was kept" in training_curves(soup).alt
    assert "Curves of" in training_curves(CURVES).alt
    assert "epochs, of which epoch" in training_curves(CURVES).alt
