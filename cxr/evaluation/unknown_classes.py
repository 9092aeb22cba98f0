"""Classes that a model and other data do not share, and the number that needs only normal against the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.estimates import Estimate, lacking, no_image_of
from cxr.evaluation.predictions import Predictions, write_predictions
from cxr.evaluation.roc import area_under_roc
from cxr.text import pluralize

_SHOWN = 5  # classes that are named


@dataclass(frozen=True)
class UnknownClasses:
    """Predictions of n images of other data whose classes the model does not know; n may be 0.

    `classes` and `probabilities` (n, classes) are those of the model, `labels` (n,) the names of classes in the data.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    groups: tuple[str, ...]

    @property
    def by_class(self) -> dict[str, int]:
        """How many images there are of each class, by its name, sorted."""
        return {name: self.labels.count(name) for name in sorted(set(self.labels))}

    def to_csv(self, path: Path) -> None:
        """Write what `Predictions.to_csv` writes."""
        write_predictions(path, self.ids, self.labels, self.classes, self.probabilities)


def auc_not_normal(evaluated: Predictions, groups: Sequence[str], unknown: UnknownClasses, normal_class: int | None) -> Estimate:
    """AUC of 1 - p(normal) for images that are not normal, of any class, with DeLong's interval.

    Args:
        groups: the group of each evaluated image; images of one group count as alike.
        normal_class: index into the classes; None if none is normal.
    """
    if normal_class is None:
        return lacking("not known: no class of the model is called Normal; evaluation.routine=CLASS names it")
    not_normal = np.concatenate([evaluated.labels != normal_class, np.ones(len(unknown.ids), bool)])
    if not_normal.all():
        return lacking(no_image_of(evaluated.classes[normal_class]))
    if not not_normal.any():
        return lacking(f"not known: every image is {evaluated.classes[normal_class]}")
    normal = np.concatenate([evaluated.probabilities[:, normal_class], unknown.probabilities[:, normal_class]])
    return area_under_roc(not_normal, -normal, [*groups, *unknown.groups])  # 1 - p would round small ones to ties


def describe_unshared(of_model: Mapping[str, int], unknown: Mapping[str, int]) -> list[str]:
    """A line on classes of the model that the data lacks, and one on those that the model does not know; images by class.

    >>> describe_unshared({"COVID": 0, "Normal": 9}, {"Edema": 1, "Mass": 4})[0]
    'Classes without an image in this data: COVID. Their sensitivity and all other numbers of them are not known.'
    >>> describe_unshared({"COVID": 0, "Normal": 9}, {"Edema": 1, "Mass": 4})[1]
    'Classes that the model does not know: Mass (4 images), Edema (1 image). They count only as not normal, in one AUC.'
    >>> describe_unshared({}, dict.fromkeys("abcdefg", 1))[0].partition("e (1 image)")[2]
    ' and 2 classes with 2 images. They count only as not normal, in one AUC.'
    """
    absent = ", ".join(name for name, count in of_model.items() if not count)
    largest = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    others = ", ".join(f"{name} ({pluralize(count, 'image')})" for name, count in largest[:_SHOWN])
    if rest := largest[_SHOWN:]:
        others += f" and {pluralize(len(rest), 'class', 'classes')} with {pluralize(sum(count for _, count in rest), 'image')}"
    return [
        *(
            [f"Classes without an image in this data: {absent}. Their sensitivity and all other numbers of them are not known."]
            if absent
            else []
        ),
        *([f"Classes that the model does not know: {others}. They count only as not normal, in one AUC."] if others else []),
    ]
