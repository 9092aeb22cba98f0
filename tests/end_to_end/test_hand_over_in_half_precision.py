"""Runs in mixed precision are exported, registered and served; `cxr predict` and a server give equal answers."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from tests.conftest import Command
from tests.end_to_end.test_hand_over import answers_in, body_of

# The frozen head has its gate on pooled features, the other on features half-way up.
RUNS = [("mixed_bfloat16", ("freeze=head",)), ("mixed_float16", ("freeze=last_block", "freeze.warmup_epochs=1"))]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "freeze"), RUNS, ids=[run[0] for run in RUNS])
def test_run_in_mixed_precision_is_handed_over(
    precision: str,
    freeze: tuple[str, ...],
    many_phantoms: Path,
    small_backbone: tuple[str, ...],
    tmp_path: Path,
    cxr_here: Command,
) -> None:
    trained = cxr_here(
        *("data=folder", f"data.root={many_phantoms}", *small_backbone, "split=three_way", "training.epochs=2", "audit=off"),
        *("tracking.run_name=half", "evaluation.resamples=100", "evaluation.pictures=false", f"training.precision={precision}"),
        *freeze,
        folder=tmp_path,
    )
    assert trained.returncode == 0, trained.stderr
    exported = cxr_here("export", "half", "--to", "out", folder=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert f"{precision}, in which cxr answers: probabilities differ from float32 by at most" in exported.stdout
    facts = json.loads((tmp_path / "out/data/model/facts.json").read_text())
    assert facts["from_float32"] > 1e-6
    assert f"compute in {precision}, which differs from float32 by at most" in (tmp_path / "out/README.md").read_text()
    assert cxr_here("register", "half", "--name", "half", "--alias", "best", "--despite", folder=tmp_path).returncode == 0

    radiographs = [str(path) for path in sorted(many_phantoms.glob("*/images/*-1.png"))]
    assert cxr_here("predict", "half", *radiographs, "--to", "answers", folder=tmp_path).returncode == 0
    expected = answers_in(tmp_path / "answers")
    assert all(answer["distance"] is not None for answer in expected)
    body = body_of(radiographs)["dataframe_split"]
    served = mlflow.pyfunc.load_model(str(tmp_path / "out")).predict(pd.DataFrame(body["data"], columns=body["columns"]))
    assert served == expected
