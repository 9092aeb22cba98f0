"""The limits of MLflow, as the installed version has them."""

import pytest
from mlflow.utils import validation

from cxr.errors import UserError
from cxr.evaluation.metrics import metric_names
from cxr.tracking import limits


def test_limits_are_those_of_mlflow() -> None:
    assert limits.MOST_IN_NAME == validation.MAX_ENTITY_KEY_LENGTH
    assert limits.MOST_IN_PARAM == validation.MAX_PARAM_VAL_LENGTH
    assert limits.MOST_IN_TAG <= validation.MAX_TAG_VAL_LENGTH
    assert limits.MOST_IN_EXPERIMENT == validation.MAX_EXPERIMENT_NAME_LENGTH


def test_the_name_of_a_class_is_in_the_names_of_metrics() -> None:
    limits.check_metric_names(metric_names(["Normal", "x" * 190]))
    with pytest.raises(UserError, match="so long a name"):
        limits.check_metric_names(metric_names(["Normal", "x" * 255]))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "x" * 501])
def test_names_of_experiments_are_text_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match=r"tracking\.experiment"):
        limits.check_names(name, None)
