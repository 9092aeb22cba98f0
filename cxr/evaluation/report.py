"""What a run says in words: the classification report as text, and report.html, one page that opens offline."""

import base64
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from sklearn.metrics import classification_report

from cxr.evaluation.metrics import BY_CLASS, Evaluation
from cxr.evaluation.paired import Difference
from cxr.evaluation.predictions import Predictions
from cxr.words import slug

HEADLINE = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "mcc": "Matthews correlation",
    "auc_macro_ovr": "Macro AUC (one vs rest)",
    "auc_weighted_ovr": "Weighted AUC (one vs rest)",
    "log_loss": "Log loss",
}
FIGURES = {
    "confusion_matrix": "Confusion matrix: counts and row percentages by true and predicted class",
    "sensitivity_specificity": "Sensitivity and specificity of each class with 95 % Wilson intervals",
    "roc_curves": "One-vs-rest ROC curve of each class",
    "pr_curves": "One-vs-rest precision-recall curve of each class",
    "vs_baseline": "Difference from the frozen-head baseline on the same images, with 95 % intervals",
    "training_curves": "Loss and accuracy by epoch, with phases and the epoch that was kept",
}


@dataclass(frozen=True)
class ReportFacts:
    """What the page says beside the numbers."""

    title: str
    part: str  # the part of the split that judges: test or val
    data: str
    images: list[tuple[str, dict[str, int]]]  # class, number of images by part
    choices: dict[str, str]
    caveats: list[str]
    differences: list[Difference]  # from the baseline
    no_baseline: str  # why there are none


def classification_text(predictions: Predictions) -> str:
    """scikit-learn's report: precision, recall (sensitivity), F1 and number of images by class, and their averages."""
    return str(
        classification_report(
            predictions.labels,
            predictions.predicted,
            labels=np.arange(len(predictions.classes)),
            target_names=list(predictions.classes),
            digits=4,
            zero_division=0,
        )
    )


def write_report(path: Path, facts: ReportFacts, predictions: Predictions, evaluation: Evaluation, figures: Path) -> None:
    """Write one self-contained HTML page; `figures` is the folder with the PNGs named in `FIGURES`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    there = {text: figures / f"{name}.png" for name, text in FIGURES.items() if (figures / f"{name}.png").is_file()}
    pictures = [(text, base64.b64encode(path.read_bytes()).decode()) for text, path in there.items()]
    classes = [
        (name, int((predictions.labels == index).sum()), [_shown(evaluation, f"{slug(name)}/{key}") for key in BY_CLASS])
        for index, name in enumerate(predictions.classes)
    ]
    page = environment.get_template("report.html.jinja").render(
        facts=facts,
        count=len(predictions.labels),
        headline=[(text, _shown(evaluation, name)) for name, text in HEADLINE.items()],
        by_class=BY_CLASS,
        classes=classes,
        undefined=evaluation.undefined,
        pictures=pictures,
    )
    path.write_text(page, encoding="utf-8")


def _shown(evaluation: Evaluation, name: str) -> str:
    return f"{evaluation.numbers[name]:.3f}" if name in evaluation.numbers else "-"
