"""Figures by class: confusion matrix, sensitivity and specificity, ROC and precision-recall curves."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, LINES, WIDE, Drawn, one_axes, rates_figure
from cxr.evaluation.predictions import Predictions
from cxr.text import part_in_full, slug


def class_figures(evaluated: Predictions, assessment: Assessment) -> list[Drawn]:
    """The four figures of the classes; those of curves need images of two classes."""
    part, n, present = part_in_full(assessment.part), assessment.images, _present(assessment)
    sensitivities, areas, precisions = (
        "; ".join(f"{name} {assessment.estimates[f'{slug(name)}/{metric}'].text}" for name in present)
        for metric in ("sensitivity", "auc", "auprc")
    )
    drawn = [
        Drawn(
            "confusion_matrix",
            "classes",
            confusion_figure(assessment),
            "Images by true class (rows) and most probable class (columns), with shares of the row",
            f"Confusion matrix of {n:,} {part} images. On the diagonal, sensitivity: {sensitivities}.",
        ),
        Drawn(
            "sensitivity_specificity",
            "classes",
            class_figure(assessment),
            f"Sensitivity and specificity of each class at the most probable class, with {PERCENT} Wilson intervals",
            f"Points with intervals for each class. Sensitivity: {sensitivities}.",
        ),
        Drawn(
            "roc_curves",
            "classes",
            roc_figure(evaluated, assessment),
            f"ROC curve of each class against the rest, AUC with DeLong's {PERCENT} interval; crosses: operating points",
            f"ROC curves of {n:,} {part} images. AUC: {areas}.",
        ),
        Drawn(
            "pr_curves",
            "classes",
            pr_figure(evaluated, assessment),
            f"Precision-recall curve of each class against the rest, with average precision and its {PERCENT} interval",
            f"Precision-recall curves of {n:,} {part} images. Area: {precisions}.",
        ),
    ]
    return drawn if len(present) > 1 else drawn[:2]


def _present(assessment: Assessment) -> list[str]:
    """The classes that have images."""
    return [name for name, count in assessment.by_class.items() if count]


def confusion_figure(assessment: Assessment) -> Figure:
    """Counts, with each row's percentages, which on the diagonal are sensitivities."""
    counts, classes, many = np.array(assessment.confusion), assessment.classes, len(assessment.classes) >= 6
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    side = max(WIDE - 1, 1.5 + 0.95 * len(classes))
    title = f"Confusion matrix, {part_in_full(assessment.part)} (n = {assessment.images:,})"
    figure, axes = one_axes(title, (side + 1, side * 0.88))
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if share[row, column] > 0.55 else "black"
        text = f"{counts[row, column]:,}\n{share[row, column]:.1%}" if rows[row] else "0"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8 if many else 10)
    places = range(len(classes))
    names = [f"{name}\n(n = {count:,})" for name, count in zip(classes, rows[:, 0], strict=True)]
    axes.set_xticks(places, classes, rotation=30 if len(classes) > 4 else 0, ha="right" if len(classes) > 4 else "center")
    axes.set_yticks(places, names)
    axes.set_xlabel("Most probable class")
    axes.set_ylabel("True class")
    figure.colorbar(shown, label="Share of the true class", format=lambda value, _: f"{value:.0%}")
    return figure


def class_figure(assessment: Assessment) -> Figure:
    """Sensitivity and specificity of each class at the most probable class, with Wilson intervals."""
    title = f"Sensitivity and specificity by class, {part_in_full(assessment.part)} (n = {assessment.images:,})"
    rates = assessment.estimates
    rows = [(name, rates[f"{slug(name)}/sensitivity"], rates[f"{slug(name)}/specificity"]) for name in _present(assessment)]
    return rates_figure(title, rows, {})


def roc_figure(evaluated: Predictions, assessment: Assessment) -> Figure:
    """One-vs-rest ROC curve of each class, and the operating points of the positive class."""
    title = f"ROC curves, one class against the rest, {part_in_full(assessment.part)} (n = {assessment.images:,})"
    figure, axes = one_axes(title, (WIDE, 5.0))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="Chance")
    for index, name in enumerate(assessment.classes):
        area = assessment.estimates[f"{slug(name)}/auc"]
        if area.value is not None:
            false_rate, true_rate, _ = roc_curve(evaluated.labels == index, evaluated.probabilities[:, index])
            _curve(axes, index, false_rate, true_rate, f"{name} (n = {assessment.by_class[name]:,}): AUC {area.text}")
    for point in assessment.operating_points:
        x, y = point.evaluated.specificity.value, point.evaluated.sensitivity.value
        if x is not None and y is not None:
            axes.plot(1 - x, y, "x", color="black", markersize=8, markeredgewidth=2, zorder=5)
    _unit_square(axes)
    axes.set_xlabel("1 - specificity (share of other classes)")
    axes.set_ylabel("Sensitivity (share of the class)")
    axes.legend(loc="lower right", fontsize=8)
    return figure


def pr_figure(evaluated: Predictions, assessment: Assessment) -> Figure:
    """One-vs-rest precision-recall curve of each class; the share of the class is what chance would reach."""
    title = f"Precision-recall curves, one class against the rest, {part_in_full(assessment.part)} (n = {assessment.images:,})"
    figure, axes = one_axes(title, (WIDE, 5.0))
    for index, name in enumerate(assessment.classes):
        area = assessment.estimates[f"{slug(name)}/auprc"]
        if area.value is not None:
            precision, recall, _ = precision_recall_curve(evaluated.labels == index, evaluated.probabilities[:, index])
            chance = assessment.by_class[name] / assessment.images
            _curve(axes, index, recall, precision, f"{name}: {area.text}, chance {chance:.2f}")
    _unit_square(axes)
    axes.set_xlabel("Sensitivity (recall, share of the class)")
    axes.set_ylabel("PPV (precision, share of those called so)")
    if axes.get_lines():
        axes.legend(loc="lower left", fontsize=8)
    return figure


def _curve(axes: Axes, index: int, x: np.ndarray, y: np.ndarray, label: str) -> None:
    axes.plot(x, y, linewidth=2, color=COLOURS[index % len(COLOURS)], linestyle=LINES[index % len(LINES)], label=label)


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)


FIGURES = (class_figures,)
