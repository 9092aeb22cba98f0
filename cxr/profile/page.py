"""A profile as one HTML page, which works offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cxr.data.images.properties import PROPERTIES
from cxr.errors import writing
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import ImagePicture
from cxr.evaluation.figures.profile import grey_levels_figure, traits_figure
from cxr.evaluation.light import Light
from cxr.evaluation.report.rendering import chart_uri, data_uri, render
from cxr.profile.profile import Profile, RowsShown
from cxr.profile.traits import ProfiledTrait, ProfiledTraits

_MARK = '<meta name="generator" content="cxr data profile">'
_SIDE = 112  # pixels of a picture
_CLASSES = 6  # whose pictures a trait has
_BAD = 50  # unreadable files that are listed
_NAMED = 3  # traits in the verdict


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side."""

    title: str
    pictures: Sequence[ImagePicture]


def is_profile(path: Path) -> bool:
    """Whether `write_profile` wrote a file."""
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(1000)
    except OSError:
        return False


def write_profile(path: Path, profile: Profile, command: str) -> None:
    """Write the page; `command` made it."""
    page = render(
        Path(__file__).with_name("profile.html.jinja"),
        profile=profile,
        command=command,
        verdict=verdict_text(profile.traits),
        advice=_advice(profile.traits),
        figure=_traits_chart(profile.traits),
        levels=chart_uri(grey_levels_figure(profile.levels)),
        extremes=[(trait, _extremes(profile, trait)) for trait in profile.traits.traits if trait.extremes],
        copies=[_pictures(profile, row) for row in profile.copies],
        unusual=[_picture(profile, image.row, f"{_name(profile, image.row)}: {image.reason}") for image in profile.unusual],
        contact_sheet=[_pictures(profile, row) for row in profile.contact_sheet],
        bad=profile.bad[:_BAD],
        properties=PROPERTIES,
        percent=PERCENT,
        image=data_uri,
    )
    with writing(path):
        path.write_text(page, encoding="utf-8")


def verdict_text(traits: ProfiledTraits) -> str:
    """The light with its reasons, in a line without a full stop."""
    light, places = traits.verdict.light, traits.verdict.places
    auc = {trait.label: trait.auc.text for trait in traits.traits}
    named = "; ".join(f"{label} alone: AUC {auc[label]}" for label in places[:_NAMED])
    more = f"; and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    reasons = {
        Light.NONE: "no trait that was measured predicts the class",
        Light.UNKNOWN: traits.why_not or "the interval of a trait is too wide",
    }
    return f"{light.label.capitalize()}: {reasons.get(light, named + more)}"


def _advice(traits: ProfiledTraits) -> str:
    remedies = [trait.remedy for label in traits.verdict.places for trait in traits.traits if trait.label == label and trait.remedy]
    if not remedies:
        return ""
    tried = " or ".join(list(dict.fromkeys(remedies))[:2])
    return f"A network can learn it in place of the disease. Try {tried}, and compare the audits of both runs"


def _traits_chart(traits: ProfiledTraits) -> str:
    """Each trait's AUC with its interval, as a `src`; "" where nothing was measured."""
    if traits.why_not:
        return ""
    return chart_uri(traits_figure([(trait.label, trait.auc, trait.names_shortcut) for trait in traits.traits]))


def _extremes(profile: Profile, trait: ProfiledTrait) -> list[PictureRow]:
    rows = list(trait.extremes.items())[:_CLASSES]
    return [_pictures(profile, RowsShown(name, [int(profile.traits_of[row]) for row in chosen])) for name, chosen in rows]


def _pictures(profile: Profile, shown: RowsShown) -> PictureRow:
    return PictureRow(shown.title, [_picture(profile, row, _name(profile, row)) for row in shown.rows])


def _name(profile: Profile, row: int) -> str:
    return str(profile.manifest["path"].iloc[row])


def _picture(profile: Profile, row: int, caption: str) -> ImagePicture:
    label = profile.manifest["label"].iloc[row]
    return ImagePicture(_jpeg(profile.images[np.array([row])][0]), caption, f"Chest image of class {label}: {caption}")


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    """An image (size, size, 1) as a small JPEG."""
    content = BytesIO()
    Image.fromarray(image[..., 0]).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR).save(content, "JPEG", quality=80)
    return content.getvalue()
