"""A page of answers with thumbnails, most urgent first, which works offline."""

from collections.abc import Iterable
from heapq import nsmallest
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from cxr.errors import writing
from cxr.evaluation.report.rendering import data_uri, render
from cxr.predict.answer import Answer
from cxr.predict.read import read_images
from cxr.text import slug

MOST = 1000  # images on a page; the table has all
_THUMBNAIL = 128  # pixels a side
_ORDER = ("fast_track", "", "review", "routine")  # what was not answered needs somebody to look at it


def write_page(path: Path, answers: Iterable[Answer], count: int, about: dict[str, Any], positive_class: str | None) -> None:
    """Write the page of the most urgent of `count` answers: by zone, then by the probability of the positive class."""

    def urgency(answer: Answer) -> tuple[int, float, str]:
        score = answer.probabilities.get(slug(positive_class), 0.0) if positive_class else 0.0
        return _ORDER.index(answer.zone) if positive_class else 0, -score, answer.path

    page = render(
        Path(__file__).with_name("page.html.jinja"),
        rows=[{**answer.to_json(), "thumbnail": _thumbnail(answer)} for answer in nsmallest(MOST, answers, key=urgency)],
        count=count,
        about=about,
        classes=about["model"]["classes"],
        slugs=[slug(name) for name in about["model"]["classes"]],
        positive_class=positive_class,
    )
    with writing(path):
        path.write_text(page, encoding="utf-8")


def _thumbnail(answer: Answer) -> str:
    """A JPEG as a `src`; "" for a file that the model never saw, or that is no longer the one that was answered."""
    if not answer.probabilities:
        return ""
    pixels, (seen,) = read_images([answer.path], _THUMBNAIL)
    if seen.reason or seen.sha256 != answer.sha256:
        return ""
    content = BytesIO()
    Image.fromarray(pixels[0, :, :, 0]).save(content, "JPEG", quality=80)
    return data_uri(content.getvalue(), "jpeg")
