"""The runs that a run takes weights from: found, their ids logged, and refused where they do not fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.run.origin import MODEL, check_ingredients, with_ingredients, with_origin
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.store import Store
from tests.conftest import Compose
from tests.logged_runs import MakeRun


def with_model(run: LoggedRun) -> LoggedRun:
    path = run.file("data/manifest.csv").parents[1] / MODEL
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    return run


def soup_of(*names: str) -> Config:
    config = Config()
    config.training.soup = list(names)
    return config


def test_origin_is_found_by_name_and_logged_by_id(make_run: MakeRun, fresh_store: Store, compose_config: Compose) -> None:
    run = with_model(make_run("pretrained"))
    config, file = with_origin(compose_config("backbone.weights=run:pretrained"), fresh_store)
    assert (config.backbone.weights, file) == (f"run:{run.id}", run.file(MODEL))
    assert with_origin(compose_config(), fresh_store) == (compose_config(), None)


def test_origin_without_a_model_is_refused(make_run: MakeRun, fresh_store: Store, compose_config: Compose) -> None:
    for name, reason in ((make_run("bare").id, "has no model"), ("elsewhere", "there is no run elsewhere")):
        with pytest.raises(UserError, match=reason):
            with_origin(compose_config(f"backbone.weights=run:{name}"), fresh_store)


def test_ingredients_are_found_by_name_and_logged_by_id(make_run: MakeRun, fresh_store: Store) -> None:
    runs = [with_model(make_run(name)) for name in ("one", "two")]
    config, ingredients = with_ingredients(soup_of("two", runs[0].short_id, "one"), fresh_store)
    assert config.training.soup == [runs[1].id, runs[0].id]
    assert [run.id for run in ingredients] == config.training.soup
    assert with_ingredients(Config(), fresh_store) == (Config(), [])


def test_soup_of_fewer_than_two_models_is_refused(make_run: MakeRun, fresh_store: Store) -> None:
    with_model(make_run("one"))
    make_run("without")
    for names, reason in (
        (("one", "one"), "alone is no soup"),
        (("one", "without"), "has no model"),
        (("one", "ghost"), "no run ghost"),
    ):
        with pytest.raises(UserError, match=reason):
            with_ingredients(soup_of(*names), fresh_store)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"backbone.alpha": "0.5"}, "has backbone.alpha=0.5, and others have 1.0"),
        ({"prepare.crop": "lungs"}, "has prepare.crop=lungs, and others have none"),
        ({"freeze.trainable_from": "block_13"}, "the backbone is frozen in some of its runs, and trained in others"),
        ({"cxr.split_fingerprint": "t"}, "it has another split, so what it trained on may test here"),
        ({"cxr.data_fingerprint": "e"}, "it has another images"),
    ],
)
def test_ingredient_of_another_experiment_is_refused(other: dict[str, str], reason: str, tmp_path: Path) -> None:
    known = {"cxr.data_fingerprint": "d", "cxr.split_fingerprint": "s", **flat_params(Config())}  # tags and params
    fits = LoggedRun("0" * 32, "fits", "FINISHED", 0, known, known, {})
    check_ingredients([fits], Config(), "d", "s")
    with pytest.raises(UserError, match=reason):
        check_ingredients([fits, replace(fits, tags=known | other, params=known | other)], Config(), "d", "s")
