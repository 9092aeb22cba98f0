"""The time of an evaluation without heat maps."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from coverage import predictions
from measure import Options, add_row, seconds_of, spread, table
from rich.table import Table

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment, Evidence, assess
from cxr.evaluation.figures.drawing import pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.predictions import Predictions


def answer(options: Options) -> Iterator[Table]:
    """Seconds of all numbers, then of all figures, of simulated predictions with five sources."""
    result = table("An evaluation without heat maps, 4 classes, seconds", "numbers", "figures")
    config = EvaluationConfig()
    for count in options.args.predictions:
        sources = pd.DataFrame({"source": np.random.default_rng(0).choice(list("abcde"), count)})
        evaluated = predictions(2, count)
        evidence = Evidence(predictions(1, count), evaluated, "test", evaluated.ids, sources)
        repeats = range(options.args.repeats)
        numbers = [seconds_of(partial(assess, evidence, config)) for _ in repeats]
        drawing = [seconds_of(partial(_draw, evaluated, assess(evidence, config))) for _ in repeats]
        add_row(result, f"{count:,} predictions", spread(numbers), spread(drawing))
    yield result


def _draw(evaluated: Predictions, assessment: Assessment) -> None:
    pictures_of(assessment_figures(evaluated, assessment), EvaluationConfig().figure_dpi)
