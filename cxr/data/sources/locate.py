"""The images of a config, from the source that it names. Each source is a file in this folder.

To add a source, add a file with the two functions of `Source`, and name it in `data.source`.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList
from cxr.data.sources.tables import logged_images
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.system import expanded
from cxr.text import nearest

_NO_SOURCES = ("__init__", "locate", "fetch")


class Source(Protocol):
    """What a file in this folder offers to be a source of images."""

    def root_of(self, data: DataConfig, stage: Stage) -> Path:
        """The folder that paths are relative to, made if need be."""

    def find(self, data: DataConfig, root: Path) -> ImageList:
        """The images, by name alone.

        Raises:
            UserError: There is no image.
        """


def locate_images(data: DataConfig, stage: Stage, manifest: pd.DataFrame | None = None, least_classes: int = 2) -> ImageList:
    """List the images of a config.

    Args:
        manifest: a logged one, whose images are listed instead.
        least_classes: how many classes there have to be.

    Raises:
        UserError: The source is not known, or images or classes are missing.
    """
    source = _source_of(data)
    root = source.root_of(data, stage)
    images = source.find(data, root).keeping(data.keep) if manifest is None else logged_images(manifest, root, data)
    if len(images.classes) < least_classes:
        raise UserError(
            f"there is one class only ({', '.join(images.classes)}): two at least are needed; see data.classes, data.merge and "
            "labels"
        )
    return images


def is_among_images(path: Path, data: DataConfig) -> bool:
    """Whether a path is below the class folders of `data.root`, where nothing is written. A table may lie beside what it lists."""
    return bool(data.root) and data.manifest is None and path.resolve().is_relative_to(expanded(str(data.root)).resolve())


def source_names() -> list[str]:
    """The names of all sources, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NO_SOURCES)


def _source_of(data: DataConfig) -> Source:
    name = data.source
    if name == "auto":
        name = "phantom" if data.phantom is not None else "tables" if data.manifest is not None else "folders"
    if name not in source_names():
        raise UserError(f"data.source={name} is not known: {nearest(name, ['auto', *source_names()])}")
    return cast(Source, import_module(f"cxr.data.sources.{name}"))
