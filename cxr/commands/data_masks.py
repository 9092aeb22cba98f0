"""`cxr data masks`: masks of the lungs that the network finds, as files, and a sheet of them to look at."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from cxr.anatomy.lung_masks import mask_name
from cxr.anatomy.lung_network import SIDE, check_network, lungs_in
from cxr.commands.output import check_folders
from cxr.config.schema import Config
from cxr.data.dataset import read_listed
from cxr.data.images.image_file import ImageFacts
from cxr.data.images.store import ImagePixels
from cxr.data.safe_csv import write_csv
from cxr.data.sources.locate import is_among_images, locate_images
from cxr.errors import UserError, writing
from cxr.progress import Progress
from cxr.run.prepared import cache_of
from cxr.text import as_called, in_shell, pluralize

TABLE, SHEET = "masks.csv", "overlays.png"
_AT_ONCE = 256  # images, so that a large set needs no more memory
_SHOWN = 240  # images at most
_OUTLINE = (255, 80, 60)


def masks(config: Config, to: Path, most: int, overrides: Sequence[str]) -> int:
    """Write `to`/IMAGE.png for each image whose lungs are found, masks.csv, and overlays.png with up to `most` images a class.

    Returns 1 if an image can't be read, else 0.

    Raises:
        UserError: `to` can't be written, or holds other files.
    """
    if is_among_images(to, config.data):
        raise UserError(f"{to} would be among the images of data.root={config.data.root}: name another place with --to FOLDER")
    if to.is_dir() and any(to.iterdir()) and not (to / TABLE).is_file():
        raise UserError(f"{to} holds other files: name another folder with --to FOLDER")
    check_folders(to)
    check_network()
    progress = Progress()
    listed = locate_images(config.data, progress.stage)
    pixels = read_listed(listed, SIDE, progress.stage, cache_of(config, progress), grey=config.data.grey)
    labels = listed.images.set_index("path")["label"].reindex(pixels.paths)
    shown = set(np.flatnonzero(labels.groupby(labels).cumcount() < most)[:_SHOWN])
    rows, overlays = list[tuple[str, str, str]](), list[Image.Image]()
    with progress.stage("masks", f"Finding lungs in {pluralize(len(pixels.paths), 'image')}") as update, writing(to):
        to.mkdir(parents=True, exist_ok=True)
        (to / TABLE).touch()  # by which the folder is known, also if this is cut off
        for start in range(0, len(pixels.paths), _AT_ONCE):
            places = range(start, min(start + _AT_ONCE, len(pixels.paths)))
            images = np.asarray(pixels.images[np.array(places)])
            for place, image, lungs, reason in zip(places, images, *lungs_in(images), strict=True):
                rows.append((pixels.paths[place], "" if reason else f"{lungs.mean():.4f}", reason))
                _write_mask(to / mask_name(pixels.paths[place]), None if reason else lungs, pixels.facts[place])
                if place in shown:
                    overlays.append(_overlay(image[..., 0], lungs, bool(reason)))
            update(places.stop, len(pixels.paths))
        _sheet(overlays, most).save(to / SHEET)
        write_csv(pd.DataFrame(rows, columns=["path", "lung_share", "reason"]), to / TABLE)
    return _print(to, rows, pixels, overrides)


def _write_mask(file: Path, lungs: NDArray[np.bool_] | None, facts: ImageFacts) -> None:
    """Write a mask at the size of its image, 255 in the lungs; without lungs an earlier mask goes."""
    if lungs is None:
        file.unlink(missing_ok=True)
        return
    soft = Image.fromarray(np.uint8(255) * lungs).resize((facts.width, facts.height), Image.Resampling.BILINEAR)
    file.parent.mkdir(parents=True, exist_ok=True)
    soft.point(lambda level: 255 * (level > 127)).save(file)


def _overlay(grey: NDArray[np.uint8], lungs: NDArray[np.bool_], is_refused: bool) -> Image.Image:
    """An image with the outline of its lungs; crossed out where they are no plausible pair."""
    coloured = np.repeat(grey[..., None], 3, axis=-1)
    coloured[lungs & ~binary_erosion(lungs)] = _OUTLINE
    if is_refused:
        coloured[np.eye(len(grey), dtype=bool)] = _OUTLINE
    return Image.fromarray(coloured)


def _sheet(overlays: list[Image.Image], across: int) -> Image.Image:
    sheet = Image.new("RGB", (SIDE * min(max(len(overlays), 1), across), SIDE * max(1, -(-len(overlays) // across))), "white")
    for number, overlay in enumerate(overlays):
        sheet.paste(overlay, (number % across * SIDE, number // across * SIDE))
    return sheet


def _print(to: Path, rows: list[tuple[str, str, str]], pixels: ImagePixels, overrides: Sequence[str]) -> int:
    without = Counter(reason for _, _, reason in rows if reason)
    masked = len(rows) - without.total()
    print(f"  {to}: masks of {pluralize(masked, 'image')}; look at {to / SHEET}")
    for reason, count in without.most_common():
        print(f"  No mask for {pluralize(count, 'image')}: {reason} ({TABLE} lists them)")
    for bad in pixels.bad:
        print(f"  No mask for {bad.path}: {bad.reason}")
    command = in_shell("cxr", *overrides, f"data.masks={to}")
    print(as_called(f"  Use them with  {command}"))
    return 1 if pixels.bad else 0
