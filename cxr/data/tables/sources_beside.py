"""The sources of the radiography database's images, from the tables beside its class folders."""

from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from cxr.data.image_list import ImageList
from cxr.errors import UserError

# The radiography database keeps one such table a class beside the class folders, with the columns FILE NAME and URL.
_TABLES = "*.metadata.xlsx"
_NAME, _URL = "FILE NAME", "URL"


def with_sources_of_tables(images: ImageList) -> ImageList:
    """The same with the source of each image that the database's own tables name.

    Raises:
        UserError: A table can't be read.
    """
    tables = sorted(path for path in images.root.glob(_TABLES) if path.is_file())
    if not tables:
        return images
    by_stem: dict[str, str] = {}
    for table in tables:
        try:
            rows = pd.read_excel(table, dtype=str, na_filter=False)
            by_stem |= dict(zip(rows[_NAME].map(_key), rows[_URL].str.strip(), strict=True))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise UserError(f"{table} can't be read as a table of {_NAME} and {_URL} ({error}): fix it or move it away") from None
    sources = [by_stem.get(_key(Path(path).stem), "") for path in images.paths]
    return replace(images, images=images.images.assign(source=sources))


def _key(stem: str) -> str:
    """The spelling of a file name that tables and folders share: case and spaces differ between releases."""
    return stem.strip().lower().replace(" ", "")
