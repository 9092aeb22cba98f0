"""`cxr backbones`: a table of all, the depths of one, and no TensorFlow."""

import re
from pathlib import Path

import pytest

from cxr.commands.backbones import main
from cxr.errors import UserError
from cxr.model.backbones.registry import backbone_names


def test_all_backbones_are_listed_with_their_cost(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    output = capsys.readouterr().out
    assert all(name in output for name in backbone_names() if name != "keras_file")
    assert "7,037,504" in output  # Huang et al. 2017 report 8.0 million with the top of 1,000 classes


def test_backbone_shows_its_depths_and_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    main(["mobilenet_v2"])
    output = capsys.readouterr().out
    assert "last_stage" in output
    assert "stage_5: block_13, block_14, block_15, block_16" in output


def test_weights_that_keras_has_downloaded_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    main([])
    assert not re.search(r"\bhere\b", capsys.readouterr().out)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    main([])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if re.search(r"\bhere\b", line))
    assert "densenet121" in line


def test_unknown_backbone_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean densenet121"):
        main(["densenet12"])
