"""Where the images of a config are: a folder or a table of the user's, or phantoms drawn on first use."""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from cxr.cache.store import default_folder
from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList
from cxr.data.images import dicom
from cxr.data.sources.folders import find_images
from cxr.data.sources.phantom import drawn, ensure_drawn
from cxr.data.sources.source_tables import with_sources_of_tables
from cxr.data.sources.tables import logged_images, read_table
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.text import in_words


def locate_images(data: DataConfig, stage: Stage, manifest: pd.DataFrame | None = None) -> ImageList:
    """List the images, drawing the phantoms first where they are asked for; with a logged `manifest`, those that it names."""
    found = _listed(data, stage, manifest)
    if find_spec("pydicom") is None and any(path.lower().endswith(dicom.SUFFIXES) for path in found.paths):
        raise UserError(f"{found.root} holds DICOM files, which need a package that is not here: pip install 'cxr[dicom]'")
    return found


def _listed(data: DataConfig, stage: Stage, manifest: pd.DataFrame | None) -> ImageList:
    root = _root(data, stage)
    if manifest is not None:
        return logged_images(manifest, root, data)
    if data.manifest is not None:
        return read_table(Path(data.manifest).expanduser(), root, data)
    return with_sources_of_tables(find_images(data, root))


def _root(data: DataConfig, stage: Stage) -> Path:
    if data.phantom is not None:
        return _draw_phantoms(data, stage)
    if data.root is not None:
        return Path(data.root).expanduser()
    assert data.manifest is not None  # checked with the config
    return Path(data.manifest).expanduser().parent


def _draw_phantoms(data: DataConfig, stage: Stage) -> Path:
    assert data.phantom is not None
    folder = Path(data.root).expanduser() if data.root else default_folder() / "phantoms"
    if (there := drawn(data.phantom, folder)) is not None:
        return there
    with stage("draw", f"Drawing {in_words(data.phantom.count, 'phantom')} into {folder}") as update:
        try:
            return ensure_drawn(data.phantom, folder, update)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UserError(f"phantoms can't be drawn into {folder} ({why}): CXR_CACHE=FOLDER names another place") from None
