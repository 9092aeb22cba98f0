"""`cxr plan`: it looks, and changes nothing."""

from pathlib import Path

import pytest

from cxr.commands.plan import main
from cxr.model import published


def test_weights_are_not_downloaded(
    tmp_path: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(published, "urlopen", lambda *_, **__: pytest.fail("a plan downloads nothing"))
    main(["backbone=mobilenet_v2", "data=folder", f"data.root={phantoms}", "backbone.image_size=96"])
    assert "1 job" in capsys.readouterr().out
    assert not (tmp_path / "keras").exists()
