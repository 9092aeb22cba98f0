"""Everything known about images that were read: facts of the files, labels, groups."""

from dataclasses import asdict, dataclass, fields

import pandas as pd

from cxr.data.identity.groups import copies, joined, of_several
from cxr.data.image_list import ImageList
from cxr.data.images.image_file import ImageFacts
from cxr.data.images.perceptual import PerceptualHashes
from cxr.data.images.store import ImagePixels
from cxr.data.manifest import COLUMNS
from cxr.errors import UserError

_FILES_OF_ONE = 20  # DICOM files that one patient may have
_FACTS = ("sha256", "width", "height", "mode")  # columns of the manifest


@dataclass(frozen=True)
class Identity:
    """Numbers of images in sets of copies (equal pixels or near copies), of those sets, and of images whose patient is named.

    A group of the user's own, or DICOM, names a patient.
    """

    copies: int
    sets: int
    patients: int


@dataclass(frozen=True)
class Annotated:
    """Images that were read, in the order of `pixels`, with their manifest columns; and copies with conflicting labels.

    `images` has `COLUMNS`, the split as the user gives it, and further columns of the image list.
    `conflicts` has those rows whose copies or near copies have another label, with a column `copies` that names the set.
    """

    images: pd.DataFrame
    conflicts: pd.DataFrame
    identity: Identity


def annotate(image_list: ImageList, pixels: ImagePixels, dicom_patients: bool = True) -> Annotated:
    """Combine the image list with the facts of every image that was read.

    Its group is the smallest pixel hash among all images that it is a copy or near copy of, or shares the user's own group or a
    DICOM patient with, directly or through others.
    """
    rows = image_list.images.set_index("path").loc[list(pixels.paths)].reset_index()
    facts = pd.DataFrame(list(map(asdict, pixels.facts)), columns=[field.name for field in fields(ImageFacts)])
    patients = facts["patient"] if dicom_patients else pd.Series("", index=facts.index)
    _check_patients(patients)
    perceptual = PerceptualHashes.of([fact.perceptual for fact in pixels.facts])
    same_image = copies(list(facts["sha256"]), perceptual)
    own = rows["group"].str.strip()
    known = rows.assign(
        group=joined(facts["sha256"], same_image, own, patients), phash=perceptual.phashes, **{name: facts[name] for name in _FACTS}
    )
    images = known[list(dict.fromkeys([*COLUMNS, *rows.columns]))]
    labels = images["label"].groupby(same_image).transform("nunique")
    of_patient = own.ne("") & ~own.isin(facts["sha256"])  # a manifest of cxr's names groups by a pixel hash
    of_patient |= patients.ne("") | pd.Series(same_image).groupby(images["group"]).transform("nunique").gt(1)
    sizes = of_several(pd.Series(same_image))
    identity = Identity(int(sizes.sum()), len(sizes), int(of_patient.sum()))
    return Annotated(images, images.assign(copies=same_image)[labels > 1], identity)


def _check_patients(patients: pd.Series) -> None:
    """Raise `UserError` if one id is on more files than a patient can have."""
    files = patients[patients != ""].value_counts()
    if len(files) and files.iloc[0] > max(_FILES_OF_ONE, files.sum() / 2):
        raise UserError(
            f"{files.iloc[0]:,} of {files.sum():,} DICOM files have the same PatientID, more than a patient can have: if it is a "
            "placeholder, add data.dicom_patients=false, and name patients in a column of data.manifest if you know them"
        )


def altered(image_list: ImageList, images: pd.DataFrame) -> list[str]:
    """Paths whose pixels are not those that the image list expects, or that could not be read; sorted.

    Empty if the image list does not come from a manifest.

    Args:
        images: columns path and sha256.
    """
    read = dict(zip(images["path"], images["sha256"], strict=True))
    expected = zip(image_list.images["path"], image_list.images["sha256"], strict=True)
    return [path for path, sha256 in expected if sha256 and read.get(path) != sha256]
