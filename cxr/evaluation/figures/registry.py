"""Every figure that follows from predictions alone. To add one, extend `FIGURES` of a file here, or add a file."""

from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

import cxr.evaluation.figures
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.figures.drawing import Drawn, Section
from cxr.evaluation.predictions import Predictions

_IN_ORDER: tuple[str, ...] = get_args(Section)


def assessment_figures(evaluated: Predictions, assessment: Assessment) -> list[Drawn]:
    """All of them, in the order of the report: by section, then by file, then as a file has them."""
    names = sorted(module.name for module in iter_modules(cxr.evaluation.figures.__path__) if module.name != "registry")
    modules = [import_module(f"cxr.evaluation.figures.{name}") for name in names]
    drawn = [figure for module in modules for draw in getattr(module, "FIGURES", ()) for figure in draw(evaluated, assessment)]
    return sorted(drawn, key=lambda figure: _IN_ORDER.index(figure.section))
