"""The contract for any input: an image is read or rejected in one line, a table is read or raises a UserError."""

from pathlib import Path
from random import Random
from typing import Any

from fuzz_dicom import PERSON
from fuzz_limits import LIMITS

from cxr.config.schema import ColumnsConfig, DataConfig
from cxr.data.image_list import COLUMNS
from cxr.data.images.image_file import decode
from cxr.data.sources.tables import read_table
from cxr.errors import UserError

SECONDS, PEAK_BYTES = 5.0, 2_000_000_000  # of one case


def check_image(content: bytes, side: int | None) -> bool:
    """Whether an image is read; raises AssertionError where the answer is no valid one."""
    pixels, facts = decode(content, side)
    said = facts if isinstance(facts, str) else facts.mode
    if isinstance(facts, str) or side is None:
        assert pixels is None, "pixels of an image that is not read, or of no size"
    else:
        assert pixels is not None and pixels.shape == (side, side, 1) and pixels.dtype == "uint8", "no pixels, or others"  # noqa: PT018
    assert said.isprintable() and 0 < len(said) < 1000, f"no text in one line: {said[:300]!a}"  # noqa: PT018
    assert PERSON not in said, f"the person is named: {said[:300]!a}"
    return not isinstance(facts, str)


def check_table(rng: Random, file: Path, root: Path) -> bool:
    """Whether a table is read, with options at random; raises AssertionError where the answer is no valid one."""

    def seldom(usual: Any, *others: Any) -> Any:
        return rng.choice(others) if rng.random() < 0.15 else usual

    columns = ColumnsConfig(
        path=seldom("path", "label"), label=seldom("label", "source", "path"), group=seldom("group", None, "path")
    )
    columns.more = seldom([], ["age"], ["width", "height"], ["path"])
    data = DataConfig(root=str(root), manifest=str(file), columns=columns, on_bad_image=rng.choice(("stop", "skip", "skip")))
    data.classes = seldom(None, ["ill", "well"], ["WELL", "other", "ill"])
    data.merge = seldom({}, {"ill": ["well", "other"]}, {"both": ["ill", "s"]})
    try:
        image_list = read_table(file, root, data)
    except UserError as error:
        lines = str(error).splitlines()
    else:
        lines = []
    if lines:
        assert len(lines) == 1, f"a UserError of several lines: {' | '.join(lines)}"
        return False
    assert set(COLUMNS) <= set(image_list.images.columns), "a column is missing"
    assert all(isinstance(cell, str) for cell in image_list.images.to_numpy().ravel()), "a cell is not text"
    assert not any(path.startswith("/") or ".." in Path(path).parts for path in image_list.paths), "a path that leaves the root"
    return True


def check_limit(content: bytes, place: int) -> bool:
    """Whether an image at the limits of a radiograph is read; it has to be, or must not be, as `fuzz_limits` says."""
    what, to_be_read, _ = LIMITS[place]
    read = check_image(content, 224)
    assert read == to_be_read, f"{what}: read" if read else f"{what}: refused"
    return read
