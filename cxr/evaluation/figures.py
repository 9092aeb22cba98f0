"""Figures from predictions and training history, for a paper or MLflow's viewer: readable at 700 pixels, colour-blind safe."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from cxr.evaluation.history import TrainingCurves
from cxr.evaluation.metrics import Evaluation, wilson_interval
from cxr.evaluation.predictions import Predictions
from cxr.words import part_in_full

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")


def draw_figures(predictions: Predictions, evaluation: Evaluation, curves: TrainingCurves, part: str) -> dict[str, Figure]:
    """Every figure of a run by its file name without suffix; `part` is the part of the split that `predictions` are of."""
    part = part_in_full(part)
    return {
        "confusion_matrix": confusion_figure(predictions, evaluation, part),
        "sensitivity_specificity": class_figure(predictions, evaluation, part),
        "roc_curves": roc_figure(predictions, part),
        "pr_curves": pr_figure(predictions, part),
        "training_curves": training_figure(curves),
    }


def save_figures(figures: dict[str, Figure], folder: Path, dpi: int) -> None:
    """Write each figure as a PNG."""
    for name, figure in figures.items():
        (folder / f"{name}.png").write_bytes(png_of(figure, dpi))


def png_of(figure: Figure, dpi: int) -> bytes:
    """A figure as a PNG without a time stamp: the same figure gives the same bytes."""
    figure.dpi = dpi
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once; savefig would draw it twice, to lay it out first
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(buffer, "png")
    return buffer.getvalue()


def confusion_figure(predictions: Predictions, evaluation: Evaluation, part: str) -> Figure:
    """Counts, with each row's percentages, which on the diagonal are sensitivities."""
    counts, classes = evaluation.confusion, predictions.classes
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    side = max(5.2, 1.9 + 1.15 * len(classes))
    figure, axes = _axes(f"Confusion matrix, {part} (n = {counts.sum():,})", (side + 1, side * 0.88))
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        colour = "white" if share[row, column] > 0.55 else "black"
        text = f"{counts[row, column]:,}\n{share[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=12 if len(classes) < 6 else 8)
    places = range(len(classes))
    names = [f"{name}\n(n = {count:,})" for name, count in zip(classes, rows[:, 0], strict=True)]
    axes.set_xticks(places, classes, rotation=30 if len(classes) > 4 else 0, ha="right" if len(classes) > 4 else "center")
    axes.set_yticks(places, names)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    figure.colorbar(shown, label="Share of the true class", format=lambda value, _: f"{value:.0%}")
    return figure


def class_figure(predictions: Predictions, evaluation: Evaluation, part: str) -> Figure:
    """Sensitivity and specificity of each class at the most probable class, with 95 % Wilson intervals."""
    confusion, classes = evaluation.confusion, predictions.classes
    total = confusion.sum()
    figure, axes = _axes(f"Sensitivity and specificity by class, {part} (n = {total:,})", (7.0, 2.1 + 0.75 * len(classes)))
    for row in range(len(classes)):
        hits, of_class = confusion[row, row], confusion[row].sum()
        rest = total - of_class
        true_negatives = rest - (confusion[:, row].sum() - hits)
        for offset, marker, colour, name, good, out_of in (
            (-0.16, "o", COLOURS[0], "Sensitivity", hits, of_class),
            (0.16, "s", COLOURS[1], "Specificity", true_negatives, rest),
        ):
            if out_of == 0:
                continue
            value, (low, high) = good / out_of, wilson_interval(good, out_of)
            axes.plot([low, high], [row + offset] * 2, color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(value, row + offset, marker, color=colour, markersize=8, label=name if row == 0 else None, clip_on=False)
            axes.annotate(
                f"{value:.3f}  ({good:,}/{out_of:,})", (1.015, row + offset), va="center", fontsize=9.5, annotation_clip=False
            )
    axes.set_yticks(range(len(classes)), classes)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xlim(_left_of(axes), 1.003)
    axes.set_xlabel("Proportion, with 95 % Wilson interval")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def roc_figure(predictions: Predictions, part: str) -> Figure:
    """One-vs-rest ROC curve of each class."""
    figure, axes = _axes(f"ROC curves, one class against the rest, {part}", (6.4, 5.8))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="Chance")

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
        false_rate, true_rate, _ = roc_curve(positive, scores)
        return false_rate, true_rate, f"AUC {roc_auc_score(positive, scores):.3f}"

    _class_curves(axes, predictions, curve)
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("Sensitivity")
    axes.legend(loc="lower right")
    return figure


def pr_figure(predictions: Predictions, part: str) -> Figure:
    """One-vs-rest precision-recall curve of each class; the share of the class is what chance would reach."""
    figure, axes = _axes(f"Precision-recall curves, one class against the rest, {part}", (6.4, 5.8))

    def curve(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
        precision, recall, _ = precision_recall_curve(positive, scores)
        return recall, precision, f"AP {average_precision_score(positive, scores):.3f}, chance {positive.mean():.2f}"

    _class_curves(axes, predictions, curve)
    axes.set_xlabel("Sensitivity (recall)")
    axes.set_ylabel("Precision")
    if axes.get_lines():
        axes.legend(loc="lower left")
    return figure


def training_figure(curves: TrainingCurves) -> Figure:
    """Loss and accuracy by epoch, with the phases and the epoch whose weights were kept."""
    figure = Figure(figsize=(7.6, 3.9), layout="constrained")
    figure.suptitle("Training curves", fontsize=13)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for index, part in enumerate(("train", "val")):
            style = {"color": COLOURS[index], "linestyle": LINES[index], "marker": "os"[index], "markersize": 4}
            axes.plot(
                curves.epochs, curves.values[f"{part}/{name}"], label={"train": "Training", "val": "Validation"}[part], **style
            )
        axes.axvline(curves.best_epoch, color="0.35", linestyle=":", label=f"Kept: epoch {curves.best_epoch}")
        _mark_phases(axes, curves)
        axes.set_xlabel("Epoch")
        axes.set_ylabel(name.capitalize())
        axes.set_xlim(0.5, curves.epochs[-1] + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(loc="upper right")
    return figure


def _mark_phases(axes: Axes, curves: TrainingCurves) -> None:
    for index, (name, first, last) in enumerate(curves.phases()):
        axes.axvspan(first - 0.5, last + 0.5, color="0.5", alpha=0.10 * (index % 2), linewidth=0)
        axes.text((first + last) / 2, 1.01, name, transform=axes.get_xaxis_transform(), ha="center", fontsize=8.5, color="0.3")


def _class_curves(
    axes: Axes, predictions: Predictions, curve: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, str]]
) -> None:
    for index, name in enumerate(predictions.classes):
        positive = predictions.labels == index
        if not 0 < positive.sum() < len(positive):
            continue
        x, y, text = curve(positive, predictions.probabilities[:, index])
        colour, line = COLOURS[index % len(COLOURS)], LINES[index % len(LINES)]
        axes.plot(x, y, linewidth=2, color=colour, linestyle=line, label=f"{name} (n = {positive.sum():,}): {text}")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)


def _left_of(axes: Axes) -> float:
    """A left limit with all intervals in view, on a tenth."""
    lowest = min((float(np.min(np.asarray(line.get_xdata(), float))) for line in axes.get_lines()), default=0.0)
    return max(0.0, math.floor((lowest - 0.03) * 10) / 10)


def _axes(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = figure.subplots()
    figure.suptitle(title, fontsize=13)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
