"""Tables as text, in which names and other texts stay what they are, even if they look like numbers."""

import csv
import html
import re
import unicodedata
from collections.abc import Sequence

import pandas as pd

__all__ = ["csv_table", "literal", "markdown_table", "printable", "terminal_table"]

# Controls, halves of surrogate pairs, and separators of lines: a terminal would obey them, or split the row.
UNPRINTED = ("Cc", "Cs", "Zl", "Zp")
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def terminal_table(frame: pd.DataFrame, align: Sequence[str] | None = None, widths: Sequence[int] | None = None) -> str:
    r"""Return a table for a terminal.

    Parameters
    ----------
    frame : DataFrame
        Numbers have three significant digits, and texts stay as they are, except that control characters are escaped.
    align : sequence of {"left", "right"}, optional
        One for each column; default: numbers to the right.
    widths : sequence of int, optional
        Largest widths of the columns; longer texts are wrapped.

    Examples
    --------
    >>> print(terminal_table(pd.DataFrame({"id": ["007", "1e3", "a\nb"], "nll": [0.12345, 12, 3]})))
    id      nll
    ----  -----
    007   0.123
    1e3      12
    a\nb      3
    """
    texts = _texts(frame)
    return str(
        texts.to_markdown(
            index=False,
            tablefmt="simple",
            disable_numparse=True,
            colalign=None if texts.empty else align or _sides(frame),
            maxcolwidths=None if widths is None else list(widths),
        )
    )


def markdown_table(frame: pd.DataFrame, align: Sequence[str] | None = None) -> str:
    r"""Return a table as Markdown that shows its texts literally; arguments as in `terminal_table`.

    Examples
    --------
    >>> print(markdown_table(pd.DataFrame({"id": ["007", "a|b", "*c*"], "nll": ["1.0", "2.0", "3.0"]})))
    | id       | nll   |
    |:---------|:------|
    | 007      | 1.0   |
    | a&#124;b | 2.0   |
    | \*c\*    | 3.0   |
    """
    texts = _texts(frame).map(literal).rename(columns=literal)
    return str(
        texts.to_markdown(index=False, disable_numparse=True, colalign=None if texts.empty else align or _sides(frame))
    )


def csv_table(frame: pd.DataFrame) -> str:
    """Return a table as CSV, in full precision; every text is in quotes, and no number is.

    Readers that convert quoted texts to numbers as well need to be told: ``pandas.read_csv(path, dtype={"sequence":
    str}, keep_default_na=False)``.

    Examples
    --------
    >>> print(csv_table(pd.DataFrame({"id": ["007"], "nll": [0.12345]})))
    "id","nll"
    "007",0.12345
    <BLANKLINE>
    """
    return frame.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")


def printable(text: str) -> str:
    r"""Return text on one line with its control characters escaped, which a terminal would obey.

    Examples
    --------
    >>> print(printable("a\tb\x1b[31m é"))
    a\tb\x1b[31m é
    """
    return "".join(
        symbol.encode("unicode_escape").decode("ascii")
        if unicodedata.category(symbol) in UNPRINTED or symbol in DIRECTIONS
        else symbol
        for symbol in text
    )


def literal(text: str) -> str:
    """Return text on one line that Markdown shows literally, also in a cell of a table."""
    shown = re.sub(r"([\\`*_\[\]~$])", r"\\\1", html.escape(text, quote=False))
    return " ".join(shown.replace("](", "]\\(").replace("|", "&#124;").split())


def _sides(frame: pd.DataFrame) -> list[str]:
    return ["right" if pd.api.types.is_numeric_dtype(kind) else "left" for kind in frame.dtypes]


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object).map(_text).rename(columns=lambda name: printable(str(name)))


def _text(value: object) -> str:
    if isinstance(value, str):
        return printable(value)
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
