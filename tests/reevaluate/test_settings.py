"""The settings that an evaluation may change, and those that it may not."""

import pytest

from cxr.errors import UserError
from cxr.reevaluate.settings import request_of
from tests.conftest import Compose


def test_overrides_are_laid_over_the_logged_settings(compose_config: Compose) -> None:
    logged = compose_config("evaluation.alpha=0.1", "loss=focal")
    overrides = ["evaluation.sensitivity=0.8", "+evaluation.costs.covid.normal=20", "evaluation.prevalences=[0.3]"]
    config, is_other_data = request_of(logged, overrides)
    assert (config.evaluation.sensitivity, config.evaluation.alpha) == (0.8, 0.1)
    assert config.evaluation.costs == {"covid": {"normal": 20}}
    assert config.evaluation.prevalences == [0.3]
    assert (config.loss, config.data, is_other_data) == (logged.loss, logged.data, False)
    numbers = request_of(logged, ["evaluation.sensitivity=0.7", "evaluation=numbers"])[0].evaluation
    assert (numbers.pictures, numbers.sensitivity) == (False, 0.7)  # options first, whatever the order


def test_other_data_replaces_the_data_of_the_run(compose_config: Compose) -> None:
    logged = compose_config("data=radiography", "data.root=x")
    config, is_other_data = request_of(logged, ["data=folder", "data.root=y", "data.classes=[a,b]"])
    assert is_other_data
    assert (config.data.name, config.data.root, config.data.classes) == ("folder", "y", ["a", "b"])
    assert config.backbone.image_size == 224
    every = request_of(logged, ["data=radiography", "data.root=y"])[0].data  # an option lists the classes to train on
    assert every.classes is None
    aliases = request_of(logged, ["data=folder", "data.root=y"])[0].data.aliases
    assert "COVID-19" in aliases["COVID"]  # those of the run count too


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs=3", "can't be changed in an evaluation: give evaluation.SETTING=VALUE"),
        ("evaluation.sensitivity", "can't be changed in an evaluation"),
        ("evaluation.sensitivty=0.9", "there is no setting evaluation.sensitivty: did you mean evaluation.sensitivity"),
        ("evaluation.sensitivity=2", "evaluation.sensitivity=2.0 is out of range"),
        ("evaluation.sensitivity=much", "evaluation.sensitivity"),
        ("evaluation.prevalences=[0.1,2]", "2 is not a share of patients"),
        ("+evaluation.costs.covid.normal=-1", "evaluation.costs.covid.normal=-1 is not a cost"),
        ("evaluation=nothing", "evaluation=nothing is not an option: choose from: numbers, standard"),
        ("data.root=y", "name the kind of the other data: data=folder"),
        ("data=folder", "data=folder needs to know where the images are"),
    ],
)
def test_wrong_override_is_refused(override: str, message: str, compose_config: Compose) -> None:
    with pytest.raises(UserError) as error:
        request_of(compose_config(), [override])
    assert message in str(error.value)
