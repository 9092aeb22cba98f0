"""The images of an audit: one that can't be read any more is an error, and not an image without traces of JPEG."""

from pathlib import Path

import pytest

from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.progress import Progress
from cxr.run.audited import subject_of
from tests.conftest import Compose


def test_missing_image_is_an_error(phantoms: Path, compose_config: Compose, quiet: Progress, tmp_path: Path) -> None:
    config = compose_config("data=radiography", "backbone=phantom", f"data.root={phantoms}")
    dataset = read_dataset(config, locate_images(config.data, quiet.stage), quiet.stage)
    assert len(subject_of(config, dataset, phantoms, 8).labels) == 8
    with pytest.raises(UserError, match=r"can't be read any more, and an audit looks at it: .*No such file"):
        subject_of(config, dataset, tmp_path, 8)
