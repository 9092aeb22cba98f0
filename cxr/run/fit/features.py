"""Pooled features of some validation images, stored with a run: what other data is compared with later."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.data.images.properties import properties
from cxr.data.safe_csv import read_csv, write_csv
from cxr.errors import UserError
from cxr.evaluation.shift import Sample
from cxr.tracking.logged_run import LoggedRun

_IMAGES, _POOLED = "features/validation.csv", "features/validation_pooled.npy"


def sample_of(manifest: pd.DataFrame, images: NDArray[np.uint8], pooled: NDArray[np.float32]) -> Sample:
    """Images as a shift is measured on.

    Args:
        manifest: rows of the images.
        images: (n, size, size, 1).
        pooled: (n, channels).
    """
    named = manifest[["path", "label", "group", "width", "height"]].rename(columns={"path": "id"})
    return Sample(named.reset_index(drop=True).join(properties(images)), pooled.astype(np.float16))


def write_sample(folder: Path, sample: Sample) -> None:
    """Write features/validation.csv and features/validation_pooled.npy."""
    (folder / _IMAGES).parent.mkdir(parents=True, exist_ok=True)
    write_csv(sample.images, folder / _IMAGES)
    np.save(folder / _POOLED, sample.pooled, allow_pickle=False)


def read_sample(run: LoggedRun) -> Sample | None:
    """The sample that a run stored; None for a run of an earlier version.

    Raises:
        UserError: It can't be read.
    """
    if not run.has_file(_IMAGES):
        return None
    try:
        text = read_csv(run.file(_IMAGES))
        numbers = text.columns.drop(["id", "label", "group"])
        images = text.assign(**{name: pd.to_numeric(text[name]) for name in numbers})
        pooled = np.load(run.file(_POOLED), allow_pickle=False)
        if pooled.ndim != 2 or len(pooled) != len(images) or not np.isfinite(pooled.astype(np.float32)).all():
            raise ValueError(f"{_POOLED} does not match {_IMAGES}")
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise UserError(f"the features of run {run.name} ({run.short_id}) can't be read: {error}") from None
    return Sample(images, pooled.astype(np.float16))
