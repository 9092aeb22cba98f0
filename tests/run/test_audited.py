"""The audit of a run: an image that can't be read any more is an error, and a stored audit is the same when it is read."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cxr.audit.audit import Audit, audit
from cxr.config.schema import AuditConfig
from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.progress import Progress
from cxr.run.audited import DOCUMENT, subject_of, write_audit
from tests.audit.made import MeanModel, noise
from tests.conftest import Compose


def test_missing_image_is_an_error(phantoms: Path, compose_config: Compose, quiet: Progress, tmp_path: Path) -> None:
    config = compose_config("data=radiography", "backbone=phantom", f"data.root={phantoms}")
    dataset = read_dataset(config, locate_images(config.data, quiet.stage), quiet.stage)
    assert len(subject_of(config, dataset, phantoms, 8).labels) == 8
    with pytest.raises(UserError, match=r"can't be read any more: .*No such file"):
        subject_of(config, dataset, tmp_path, 8)


def test_audit_is_the_same_after_storing(tmp_path: Path) -> None:
    result = audit(noise(12), MeanModel(), AuditConfig())
    write_audit(tmp_path, result)
    content = (tmp_path / DOCUMENT).read_bytes()
    assert TypeAdapter(Audit).validate_json(content) == result
    assert list(json.loads(content)["verdict"]) == ["light", "reasons", "places", "limits"]
