"""HTML pages that work offline: templates over `base.html.jinja`, with escaped values and images; escaped text of Markdown."""

import base64
import html
import re
from functools import cache
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from cxr.evaluation.figures.drawing import svg_of


def render(template: Path, **values: object) -> str:
    """The page of a template, which may extend `base.html.jinja`; all values are escaped. Raises where one is missing."""
    return _environment(template.parent).get_template(template.name).render(values)


@cache
def _environment(folder: Path) -> jinja2.Environment:
    """The templates of a folder; they are compiled once, which takes a tenth of a second."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def data_uri(content: bytes, kind: str) -> str:
    """An image as a `src`: the content of a file of this kind, such as png."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def chart_uri(figure: Figure) -> str:
    """A figure as a `src`, an SVG."""
    figure.draw_without_rendering()  # lays it out
    return data_uri(svg_of(figure), "svg+xml")


def plain(text: str) -> str:
    r"""The text of a stranger with all Markdown and HTML escaped.

    >>> plain("<img src=x> and [a](b)")
    '&lt;img src=x&gt; and \\[a\\](b)'
    """
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
