"""A contact sheet: some images of each class side by side, to look at before training."""

from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from cxr.data.images.decode import read_grey

_MARK = "Software", "cxr data show"
_SIDE, _GAP, _TITLE = 128, 4, 22  # pixels


def is_contact_sheet(path: Path) -> bool:
    """Whether `write_contact_sheet` wrote a file."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(_MARK[0]) == _MARK[1]
    except (OSError, ValueError, SyntaxError):
        return False


def write_contact_sheet(images: pd.DataFrame, root: Path, most: int, to: Path) -> None:
    """Write a PNG with a row of up to `most` images for each class; which ones depends on their pixels alone.

    It has a mark, so that it is not taken for an image.

    Args:
        images: rows of a manifest.
    """
    rows = [rows.sort_values("sha256").head(most) for _, rows in images.groupby("label", sort=True)]
    width = _GAP + max(len(row) for row in rows) * (_SIDE + _GAP)
    sheet = Image.new("L", (max(width, 400), len(rows) * (_TITLE + _SIDE + 2 * _GAP)), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, row in enumerate(rows):
        top = number * (_TITLE + _SIDE + 2 * _GAP)
        label = row["label"].iloc[0]
        draw.text((_GAP, top + 3), f"{label}, {len(row)} of {(images['label'] == label).sum():,}", fill=0, font=font)
        for column, path in enumerate(row["path"]):
            grey = read_grey(root / path)
            grey.thumbnail((_SIDE, _SIDE))
            sheet.paste(grey, (_GAP + column * (_SIDE + _GAP), top + _TITLE))
    mark = PngInfo()
    mark.add_text(*_MARK)
    sheet.save(to, "png", pnginfo=mark)
