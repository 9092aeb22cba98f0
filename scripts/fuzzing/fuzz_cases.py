"""The kinds of input, and the input of a case.

A case follows from its kind, its number and the seed, and from nothing else.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from fuzz_bmp_webp import bmp, webp
from fuzz_dicom import dicom
from fuzz_jpeg import jpeg
from fuzz_limits import LIMITS
from fuzz_mutations import Form
from fuzz_png import png
from fuzz_tables import csv_case, parquet_case
from fuzz_tiff import tiff

Case = tuple[str, int]  # a kind, and a number within it

IMAGES: dict[str, Callable[[], Form]] = {"png": png, "jpeg": jpeg, "tiff": tiff, "bmp": bmp, "webp": webp, "dicom": dicom}
TABLES: dict[str, Callable[[Random, Path], bytes]] = {"csv": csv_case, "parquet": parquet_case}
LIMIT = "limits"  # a kind that is read only where it is asked for


class Inputs:
    """The inputs of some kinds; `folder` is what the paths of tables are made for."""

    def __init__(self, kinds: Iterable[str], folder: Path) -> None:
        self.forms = {kind: IMAGES[kind]() for kind in {*kinds} & IMAGES.keys()}
        self._folder = folder

    def content_of(self, case: Case, rng: Random) -> bytes:
        """The content of the file of a case, with the random numbers that `rng_of` gives."""
        kind, place = case
        if kind == LIMIT:
            return LIMITS[place][2]()
        return self.forms[kind].case(rng) if kind in self.forms else TABLES[kind](rng, self._folder)


def rng_of(case: Case, seed: int) -> Random:
    """The random numbers of a case: its input takes the first ones, and the way in which it is read the next."""
    return Random(f"{seed} {case[0]} {case[1]}")  # noqa: S311 - no secret


def file_of(kind: str) -> str:
    """The name of the file that an input is read from."""
    return f"table.{kind}" if kind in TABLES else "image"
