"""Every figure that follows from predictions alone."""

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.figures.calibration import calibration_figures
from cxr.evaluation.figures.classes import class_figures
from cxr.evaluation.figures.decisions import decision_figures
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.figures.subgroups import subgroup_figures
from cxr.evaluation.predictions import Predictions


def assessment_figures(evaluated: Predictions, found: Assessment) -> list[Drawn]:
    """In the order of the report."""
    return [
        *class_figures(evaluated, found),
        *decision_figures(found),
        *calibration_figures(found),
        *subgroup_figures(found),
    ]
