"""Same config, data and machine, twice with training.deterministic=true: the same predictions to the last bit."""

from pathlib import Path

from tests.conftest import Command


def test_twice_the_same_to_the_last_bit(tmp_path: Path, run_cxr: Command) -> None:
    deep = ("freeze=top_block", "freeze.warmup_epochs=0", "training=quick", "augment=medium", "data.phantom.count=60")
    predictions = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        done = run_cxr(*deep, "training.deterministic=true", folder=tmp_path / name)
        assert done.returncode == 0, done.stderr
        predictions.append(
            [path.read_bytes() for path in sorted((tmp_path / name).glob("mlruns/artifacts/*/artifacts/predictions/*.csv"))]
        )
    assert len(predictions[0]) == 2
    assert predictions[0] == predictions[1]
