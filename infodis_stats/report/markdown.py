"""Text in Markdown: what comes from data is shown as it is, and is no markup."""

import html
import re

import pandas as pd
from markupsafe import Markup

__all__ = ["cells", "code", "escaped", "finished", "plain", "table"]


def escaped(text: str) -> str:
    r"""Return text on one line that is no element, entity or link; emphasis may pass.

    Examples
    --------
    >>> escaped("<b>[a](b)&lt;")
    '&lt;b>[a]\\(b)&amp;lt;'
    """
    text = re.sub(r"&(?=#?\w+;)", "&amp;", " ".join(text.splitlines()))
    return text.replace("<", "&lt;").replace("](", "]\\(")


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts, headings too, are each one cell of Markdown."""
    texts = frame.map(lambda one: _cell(one) if isinstance(one, str) else one)
    return texts.rename(columns=lambda one: _cell(str(one)))


def table(frame: pd.DataFrame) -> Markup:
    """Return a table as Markdown."""
    return Markup(cells(frame).to_markdown(index=False, disable_numparse=True))


def code(text: str, language: str = "") -> Markup:
    """Return a block of code, with a fence longer than any in it.

    Examples
    --------
    >>> print(code("a", "toml"))
    ```toml
    a
    ```
    """
    fence = "`" * max(3, *(1 + len(run) for run in re.findall("`+", text)), 3)
    return Markup(f"{fence}{language}\n{text}\n{fence}")


def plain(text: str) -> Markup:
    """Return text that Markdown shows as it is, on one line, in a cell of a table too."""
    return Markup(" ".join(re.sub(r"([\\`*_\[\]|~$])", r"\\\1", html.escape(text, quote=False)).split()))


def finished(value: object) -> object:
    """Escape what a template shows unless it is Markdown already."""
    return escaped(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _cell(text: str) -> str:
    return escaped(text).replace("|", "&#124;")  # a backslash before it would itself be escaped by one
