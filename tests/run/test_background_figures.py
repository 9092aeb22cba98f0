"""Figures that a second process draws: the bytes that this one would draw, and none where that fails."""

from functools import partial

import pytest

from cxr.evaluation.figures.drawing import Drawn
from cxr.run import background_figures
from cxr.run.artifacts import Results, figures_of
from cxr.run.background_figures import BackgroundFigures
from cxr.training.history import Epoch, History
from tests.evaluation.documents import assessed
from tests.evaluation.made import skilled


def broken() -> Drawn:
    raise ValueError("no ink")


def results() -> Results:
    shown = skilled(1)
    curves = {"train/loss": 1.0, "train/accuracy": 0.5, "val/loss": 1.0, "val/accuracy": 0.5}
    return Results(History([Epoch(1, "head", curves)], 1), shown, assessed(shown), [], None)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_figures, "cores", lambda: 2)


@pytest.mark.usefixtures("two_cores")
def test_it_draws_what_the_run_would_draw() -> None:
    with BackgroundFigures(wanted=True) as ahead:
        ahead.start()
        ahead.draw(results(), 80)
        assert ahead.figures() == figures_of(results(), 80)


@pytest.mark.usefixtures("two_cores")
def test_where_it_fails_the_run_draws_itself() -> None:
    spoiled = results()
    spoiled = Results(spoiled.history, spoiled.evaluated, spoiled.assessment, [partial(broken)], None)
    with BackgroundFigures(wanted=True) as ahead:
        ahead.draw(spoiled, 80)
        assert ahead.figures() is None


@pytest.mark.parametrize(("wanted", "cores"), [(False, 2), (True, 1)])
def test_there_is_no_process_where_it_would_not_help(wanted: bool, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_figures, "cores", lambda: cores)
    monkeypatch.setattr(background_figures, "background_process", lambda: pytest.fail("a process was made"))
    with BackgroundFigures(wanted) as ahead:
        ahead.start()
        ahead.draw(results(), 80)
        assert ahead.figures() is None
