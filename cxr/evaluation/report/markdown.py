"""Escaping of untrusted text, such as class names, in Markdown."""

import html
import re


def plain(text: str) -> str:
    r"""The text with all Markdown and HTML escaped.

    >>> plain("<img src=x> and [a](b)")
    '&lt;img src=x&gt; and \\[a\\](b)'
    """
    return re.sub(r"([\\`*\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
