"""`backbone.weights=run:NAME`: the run is found, its id logged, and what is not there is refused."""

from pathlib import Path

import pytest

from cxr.errors import UserError
from cxr.run.origin import with_origin
from cxr.tracking.store import Store
from tests.conftest import Compose
from tests.logged_runs import MakeRun


def test_a_name_becomes_an_id_and_a_file(make_run: MakeRun, fresh_store: Store, compose_config: Compose) -> None:
    run_id = make_run("pretrained").id
    model = Path(f"mlruns/artifacts/{run_id}/artifacts/model/model.keras")
    model.parent.mkdir(parents=True, exist_ok=True)
    model.touch()
    config, file = with_origin(compose_config("backbone.weights=run:pretrained"), fresh_store)
    assert config.backbone.weights == f"run:{run_id}"
    assert file is not None
    assert file.samefile(model)
    assert with_origin(compose_config(), fresh_store) == (compose_config(), None)


def test_a_run_that_is_not_there_or_has_no_model_is_refused(make_run: MakeRun, fresh_store: Store, compose_config: Compose) -> None:
    run_id = make_run("bare").id
    for model in Path("mlruns").rglob("model.keras"):
        model.unlink()
    with pytest.raises(UserError, match="there is no run elsewhere"):
        with_origin(compose_config("backbone.weights=run:elsewhere"), fresh_store)
    with pytest.raises(UserError, match="has no model"):
        with_origin(compose_config(f"backbone.weights=run:{run_id}"), fresh_store)
